import { isIP } from "node:net";
import type { Conflict, Store } from "../../contracts/target";
import { bucketsNamed, sharedBuckets } from "../../settings/bucketNames";
import type { Settings } from "../../settings/schema";
import type { KeptCredentials } from "../../stack/step";

/** A store that exists already and speaks S3. */
export const s3: Store<Settings, KeptCredentials> = {
  name: "s3",
  docs: "docs/cluster.md",
  external: true,
  rules,

  async prepare(settings, stack, id) {
    const { lookAtStore, declareStore } = await import("./store");
    const seen = await lookAtStore(settings, stack, id);
    return (credentials) => declareStore(settings, seen, credentials);
  },

  async existing(settings, purpose, prefixes) {
    const { lookAtForeign } = await import("./store");
    return lookAtForeign(settings, purpose, prefixes);
  },
};

function rules(settings: Settings): Conflict[] {
  const { s3CaCertificates, s3Endpoint } = settings;
  const missing = (["s3Endpoint", "s3AccessKey", "s3SecretKey"] as const).filter(
    (key) => settings[key] === undefined,
  );
  const names = Object.values(bucketsNamed(settings.bucketPrefix, settings.bucketNames));
  return [
    missing.length > 0 && {
      what: `objectStore is "s3", but ${missing.join(", ")} is not set`,
      why: "an external store is known only by these settings",
      fix: `set ${missing.join(", ")} (keys with --secret)`,
    },
    s3CaCertificates !== undefined &&
      s3Endpoint?.startsWith("https:") === false && {
        what: `s3CaCertificates is set, but s3Endpoint is "${s3Endpoint}"`,
        why: "there is no certificate to check without https, and the keys' signatures go in clear",
        fix: "set s3Endpoint to the https address, or unset s3CaCertificates",
      },
    !settings.s3PathStyle &&
      s3Endpoint !== undefined &&
      isIP(new URL(s3Endpoint).hostname.replace(/^\[|\]$/g, "")) !== 0 && {
        what: `s3PathStyle is "false", and s3Endpoint is "${s3Endpoint}"`,
        why: "a bucket cannot be a part of an address that is a number",
        fix: "set s3PathStyle to true, or s3Endpoint to a name",
      },
    sharedBuckets(names),
  ].filter((conflict) => conflict !== false);
}
