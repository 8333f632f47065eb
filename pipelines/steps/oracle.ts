import * as path from "node:path";
import { executorOf } from "../../infra/targets";
import { stackFolder } from "../../infra/host/folders";
import { type StepVerbs } from "../../infra/stack/runStep";
import { runJob } from "../job";

interface Spec {
  readonly workload: string;
  readonly key: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly buckets: Readonly<Record<string, string>>;
}

export default {
  async create({ stack, spec }) {
    const { event: _event, ...result } = await runJob(await executorOf(stack), {
      module: "engine_comparison.oracle",
      cluster: "none",
      spec: { ...spec, oracleKey: spec.key, engine: "oracle" },
      seconds: null,
      log: path.join(stackFolder(stack), "logs", "oracle", `${spec.workload}.log`),
    });
    return { workload: spec.workload, key: spec.key, ...result };
  },
} satisfies StepVerbs<Spec>;
