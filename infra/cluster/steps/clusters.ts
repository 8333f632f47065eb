import { runStep } from "../../runStep";
import type { ClustersRecord } from "../executor";

/** Keeps which clusters there are; their secrets are kept with the stack's others. */
void runStep<ClustersRecord>({
  async create({ spec: { spark, ray } }) {
    return { spark, ray };
  },
});
