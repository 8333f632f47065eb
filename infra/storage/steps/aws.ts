import { randomBytes } from "node:crypto";
import { runStep } from "../../runStep";
import { storeRecord } from "../access";
import type { BucketNames } from "../names";

interface Spec {
  readonly endpoint: string;
  readonly region: string;
  /** The role by which the pipelines reach their buckets. */
  readonly role: string;
  readonly buckets: BucketNames;
}

/** Keeps how the stack's buckets are reached. */
void runStep<Spec>({
  async create({ stack, spec: { endpoint, region, role, buckets } }) {
    const id = storeRecord(stack)?.id ?? randomBytes(8).toString("hex");
    return { id, endpoint, region, pathStyle: false, buckets, certificates: null, role };
  },
});
