import { isIP } from "node:net";
import { wrong, type UserError } from "../../contracts/errors";
import { load, type Store } from "../../contracts/target";
import { bucketsNamed, sharedBuckets } from "../../settings/bucketNames";
import type { Settings } from "../../settings/schema";
import type { KeptCredentials } from "../../stack/step";

/** A store that exists already and speaks S3. */
export const s3: Store<Settings, KeptCredentials> = {
  name: "s3",
  docs: "docs/cluster.md",
  external: true,
  rules,

  async prepare({ settings, stack, id }) {
    const { lookAtStore, declareStore } = await store();
    const seen = await lookAtStore(settings, stack, id);
    return (credentials) => declareStore(settings, seen, credentials);
  },

  async existing(settings, purpose, prefixes) {
    const { lookAtForeign } = await store();
    return lookAtForeign(settings, purpose, prefixes);
  },
};

const store = () => load(module, "./store", () => import("./store"));

function rules(settings: Settings): UserError[] {
  const { s3CaCertificates, s3Endpoint, s3PathStyle } = settings;
  const required = ["s3Endpoint", "s3AccessKey", "s3SecretKey"] as const;
  const missing = required.filter((key) => settings[key] === undefined).join(", ");
  const names = Object.values(bucketsNamed(settings.bucketPrefix, settings.bucketNames));
  const unknown = wrong(
    `objectStore is "s3", but ${missing} is not set`,
    "an external store is known only by these settings",
    `set ${missing} (keys with --secret)`,
  );
  const inClear = wrong(
    `s3CaCertificates is set, but s3Endpoint is "${s3Endpoint}"`,
    "there is no certificate to check without https, and the keys' signatures go in clear",
    "set s3Endpoint to the https address, or unset s3CaCertificates",
  );
  const byNumber = wrong(
    `s3PathStyle is "false", and s3Endpoint is "${s3Endpoint}"`,
    "a bucket cannot be a part of an address that is a number",
    "set s3PathStyle to true, or s3Endpoint to a name",
  );
  const isNumber = s3Endpoint && isIP(new URL(s3Endpoint).hostname.replace(/^\[|\]$/g, "")) !== 0;
  return [
    ...(missing === "" ? [] : unknown),
    ...(s3CaCertificates && s3Endpoint?.startsWith("https:") === false ? inClear : []),
    ...(!s3PathStyle && isNumber ? byNumber : []),
    ...sharedBuckets(names),
  ];
}
