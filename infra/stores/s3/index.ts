import type { Conflict, Store } from "../../contracts/target";
import { bucketsNamed } from "../../settings/checks";
import type { Settings } from "../../settings/schema";
import type { KeptCredentials } from "../../stack/step";

/** A store that exists already and speaks S3. */
export const s3: Store<Settings, KeptCredentials> = {
  name: "s3",
  docs: "docs/cluster.md",
  external: true,
  rules: (settings) => [...missing(settings), ...uncheckable(settings), ...sameBucket(settings)],

  async prepare(settings, stack, id) {
    const { lookAtStore, S3Store } = await import("./store");
    const seen = await lookAtStore(settings, stack, id);
    return (credentials) => new S3Store("store", { settings, seen, credentials });
  },

  async existing(settings, purpose, prefixes) {
    const { lookAtForeign } = await import("./existing");
    return lookAtForeign(settings, purpose, prefixes);
  },
};

function missing(settings: Settings): Conflict[] {
  const keys = (["s3Endpoint", "s3AccessKey", "s3SecretKey"] as const).filter(
    (key) => settings[key] === undefined,
  );
  if (keys.length === 0) return [];
  return [
    {
      what: `objectStore is "s3", but ${keys.join(", ")} is not set`,
      why: "the store is not the stack's own, so nothing is known of it but what is set",
      fix: `set ${keys.join(", ")} (keys with --secret)`,
    },
  ];
}

function uncheckable({ s3CaCertificates, s3Endpoint }: Settings): Conflict[] {
  if (s3CaCertificates === undefined || s3Endpoint?.startsWith("https:") !== false) return [];
  return [
    {
      what: `s3CaCertificates is set, but s3Endpoint is "${s3Endpoint}"`,
      why: "there is no certificate to check without https, and the keys' signatures go in clear",
      fix: "set s3Endpoint to the https address, or unset s3CaCertificates",
    },
  ];
}

function sameBucket({ bucketPrefix, bucketNames }: Settings): Conflict[] {
  const names = Object.values(bucketsNamed(bucketPrefix, bucketNames));
  if (new Set(names).size === names.length) return [];
  return [
    {
      what: `bucketNames gives two purposes the same bucket: ${names.join(", ")}`,
      why: "what is for one would be mixed with what is for the other",
      fix: "give each purpose a different bucket",
    },
  ];
}
