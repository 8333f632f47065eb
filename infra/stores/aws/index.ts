import { awsVersion } from "./names";
import type { Store, Conflict } from "../../contracts/target";
import { setExternal } from "../../settings/checks";
import type { Settings } from "../../settings/schema";

/** For how long the keys of AWS hold that a run is given. */
const sessionSeconds = 3600;

/** Buckets of AWS S3 that the stack makes. */
export const aws: Store<Settings> = {
  name: "aws",
  docs: "docs/cluster.md",
  external: true,
  providers: { aws: awsVersion },

  rules(settings) {
    const useless = setExternal(settings);
    const { runTimeoutSeconds } = settings;
    const conflicts: Conflict[] = [];
    if (useless.length > 0) {
      conflicts.push({
        what: `${useless.join(", ")} is set, but objectStore is "aws"`,
        why: "AWS is reached at its own address, with credentials by its usual chain",
        fix: "set objectStore to s3, or unset these settings",
      });
    }
    if (runTimeoutSeconds > sessionSeconds) {
      conflicts.push({
        what: `runTimeoutSeconds is "${runTimeoutSeconds}", and objectStore is "aws"`,
        why: `a run is given keys of AWS that hold for ${sessionSeconds} s`,
        fix: `set runTimeoutSeconds to ${sessionSeconds} or less`,
      });
    }
    return conflicts;
  },

  async prepare(settings, stack) {
    const { AwsStore, lookAtAccount } = await import("./store");
    const seen = await lookAtAccount(settings, stack);
    return () => new AwsStore("store", { settings, stack, seen });
  },
};
