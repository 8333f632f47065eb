import { wrong } from "../../contracts/errors";
import { load, type Store } from "../../contracts/target";
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
    const external = wrong(
      `${useless.join(", ")} is set, but objectStore is "aws"`,
      "AWS is reached at its own address, with credentials by its usual chain",
      "set objectStore to s3, or unset these settings",
    );
    const tooLong = wrong(
      `runTimeoutSeconds is "${runTimeoutSeconds}", and objectStore is "aws"`,
      `a run is given keys of AWS that hold for ${sessionSeconds} s from shortly before its start`,
      `set runTimeoutSeconds to ${maxRunSeconds} or less`,
    );
    const names = [settings.bucketPrefix ?? "", ...Object.values(bucketNames)];
    const dotted = names.find((name) => name.includes("."));
    const uncertified = wrong(
      `"${dotted}" has a dot, and objectStore is "aws"`,
      "AWS's certificate names buckets without dots: engines would refuse it for this one",
      "set bucketPrefix and bucketNames without dots",
    );
    return [
      ...(dotted === undefined ? [] : uncertified),
      ...(useless.length > 0 ? external : []),
      ...(runTimeoutSeconds > maxRunSeconds ? tooLong : []),
      ...sharedBuckets(Object.values(bucketNames)),
    ];
  },

  async prepare({ settings, stack, id }) {
    const { AwsStore, lookAtAccount } = await load(module, "./store", () => import("./store"));
    const seen = await lookAtAccount(settings, stack, id);
    return () => new AwsStore(storeStep, { settings, stack, seen });
  },
};
