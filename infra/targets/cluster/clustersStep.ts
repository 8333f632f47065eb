import { type StepVerbs } from "../../stack/runStep";
import type { ClustersRecord } from "./executor";

/** Keeps which clusters there are; their secrets are kept with the stack's others. */
export default {
  async create({ spec: { spark, ray } }) {
    return { spark, ray };
  },
} satisfies StepVerbs<ClustersRecord>;
