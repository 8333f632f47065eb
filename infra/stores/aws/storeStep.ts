import { type StepVerbs } from "../../stack/runStep";
import type { BucketNames } from "../../contracts/platform";

interface Spec {
  readonly endpoint: string;
  readonly region: string;
  /** The role by which the pipelines reach their buckets. */
  readonly role: string;
  readonly buckets: BucketNames;
}

/** Keeps how the stack's buckets are reached. */
export default {
  async create({ spec: { endpoint, region, role, buckets } }) {
    return {
      ...{ store: "aws", endpoint, region, pathStyle: false, buckets },
      ...{ certificates: null, role },
    };
  },
} satisfies StepVerbs<Spec>;
