import { npm } from "../infra/contracts/check";
import { check, deployed } from "../infra/host/checks";
import { workloadOf } from "../results/catalog";
import { dataFacts, missingData } from "./stored";
import { chosenRuns } from "./matrix";

export const dataCheck = check({
  id: "data",
  name: "the store has the data that runs read",
  blocks: false,
  applies: deployed,
  after: ["docker", "store"],
  observe: ({ stack, settings }) => {
    const read = chosenRuns(settings).map(({ workload }) => workloadOf(workload).dataset);
    return Promise.all([...new Set(read)].map((dataset) => dataFacts(stack, dataset)));
  },
  judge: (facts, { stack }) => missingData(facts, npm(stack, "start")),
});
