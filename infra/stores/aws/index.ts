import type { Store } from "../../contracts/target";
import { sharedBuckets } from "../../settings/bucketNames";
import { setExternal } from "../../settings/checks";
import type { Settings } from "../../settings/schema";
import { sessionSeconds, storeStep } from "../access";

/** A run's keys are older than the run: they are asked for before its job starts. */
const maxRunSeconds = sessionSeconds - 60;

/** Buckets of AWS S3 that the stack makes. */
export const aws: Store<Settings> = {
  name: "aws",
  docs: "docs/cluster.md",
  external: true,
  providers: ["aws"],

  rules(settings) {
    const useless = setExternal(settings);
    const { runTimeoutSeconds, bucketNames } = settings;
    return [
      useless.length > 0 && {
        what: `${useless.join(", ")} is set, but objectStore is "aws"`,
        why: "AWS is reached at its own address, with credentials by its usual chain",
        fix: "set objectStore to s3, or unset these settings",
      },
      runTimeoutSeconds > maxRunSeconds && {
        what: `runTimeoutSeconds is "${runTimeoutSeconds}", and objectStore is "aws"`,
        why: `a run is given keys of AWS that hold for ${sessionSeconds} s from shortly before its start`,
        fix: `set runTimeoutSeconds to ${maxRunSeconds} or less`,
      },
      sharedBuckets(Object.values(bucketNames)),
    ].filter((conflict) => conflict !== false);
  },

  async prepare(settings, stack, id) {
    const { AwsStore, lookAtAccount } = await import("./store");
    const seen = await lookAtAccount(settings, stack, id);
    return () => new AwsStore(storeStep, { settings, stack, seen });
  },
};
