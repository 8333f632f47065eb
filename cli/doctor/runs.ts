import { UserError } from "../../infra/contracts/errors";
import { failedRuns } from "../terminal/stackOutputs";
import { npm, stands, type Check } from "./check";

/** What words in a run's failure point to: the row of docs/troubleshooting.md by its check. */
const signs: readonly (readonly [RegExp, string])[] = [
  [/FileNotFound|PATH_NOT_FOUND|Path does not exist|NoSuchKey|NoSuchBucket/, "data"],
  [/OutOfMemory|out of memory|OOM|exit code 137|SIGKILL|takes? more than runMemory/i, "memory"],
  [/no GPU|CUDA/i, "gpu"],
  [/No space left|XMinioStorageFull|disk quota/i, "disk"],
  [/has not accepted any resources|no executor/i, "spark"],
  [/ECONNREFUSED|Connection refused|does not answer/i, "services"],
  [/Version mismatch|InvalidClassException/, "environment"],
];

/** The check whose row has the cause that a failure's reason points to. */
export function rowOf(reason: string): string | undefined {
  return signs.find(([sign]) => sign.test(reason))?.[1];
}

export const runChecks: readonly Check[] = [
  {
    id: "runs",
    name: "no run failed last",
    applies: stands,
    look: async ({ stack, runs }) =>
      failedRuns(stack, runs).map(([run, { reason, log }]) => {
        const row = rowOf(reason);
        return new UserError(
          `${run} failed last: ${reason.split("\n")[0]}`,
          `the whole story is in ${log}`,
          `mend what it says (${row ? `row ${row} of ` : ""}docs/troubleshooting.md), then ${npm(stack, "rerun", run)}`,
        );
      }),
  },
];
