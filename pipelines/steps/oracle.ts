import { executorOf } from "../../infra/targets";
import { stackFiles } from "../../infra/stack/files";
import { type StepVerbs } from "../../infra/stack/runStep";
import { declaredInputs } from "../../results/records";
import { runKey } from "../../results/result";
import { runJob } from "../job";

interface Spec {
  readonly workload: string;
  readonly buckets: Readonly<Record<string, string>>;
}

export default {
  async create({ stack, name, spec }) {
    const inputs = declaredInputs(stack, name);
    const key = runKey(inputs);
    const { event: _event, ...result } = await runJob(await executorOf(stack), {
      module: "engine_comparison.oracle",
      cluster: "none",
      spec: { ...spec, inputs, key, oracleKey: key, engine: "oracle" },
      seconds: null,
      log: stackFiles(stack).log("oracle", spec.workload),
    });
    return { workload: spec.workload, key, ...result };
  },
} satisfies StepVerbs<Spec>;
