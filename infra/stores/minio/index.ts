import { wrong } from "../../contracts/errors";
import type { Store } from "../../contracts/target";
import type { Settings } from "../../settings/schema";
import { setExternal } from "../../settings/checks";

/** The stack's own MinIO, which the target starts. */
export const minio: Store<Settings> = {
  name: "minio",
  docs: "docs/architecture.md",
  external: false,

  rules(settings) {
    const useless = [
      ...setExternal(settings),
      ...(settings.bucketPrefix === undefined ? [] : ["bucketPrefix"]),
      ...(Object.keys(settings.bucketNames).length === 0 ? [] : ["bucketNames"]),
    ];
    if (useless.length === 0) return [];
    return wrong(
      `${useless.join(", ")} is set, but objectStore is minio`,
      "the stack's own MinIO has its own address, keys and buckets, and would be used instead",
      "set objectStore to s3, or unset these settings",
    );
  },
};
