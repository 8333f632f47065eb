import { randomBytes } from "node:crypto";
import { type StepVerbs } from "../../stack/runStep";
import { storeRecord } from "../access";
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
  async create({ stack, spec: { endpoint, region, role, buckets } }) {
    const id = storeRecord(stack)?.id ?? randomBytes(8).toString("hex");
    return {
      ...{ store: "aws", id, endpoint, region, pathStyle: false, buckets },
      ...{ certificates: null, role },
    };
  },
} satisfies StepVerbs<Spec>;
