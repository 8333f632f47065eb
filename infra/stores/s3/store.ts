import { once } from "node:events";
import { isIP } from "node:net";
import * as tls from "node:tls";
import { UserError } from "../../contracts/errors";
import { bucketPurposes, type BucketPurpose, type ObjectStore } from "../../contracts/platform";
import { bucketsNamed, onlyRead } from "../../settings/bucketNames";
import type { Settings } from "../../settings/schema";
import { shortHash } from "../../stack/files";
import { generation } from "../../stack/records";
import { step, type KeptCredentials } from "../../stack/step";
import { readCertificates, storeRecord, storeStep } from "../access";
import { checkClaim, readClaim } from "../claim";
import { clientOf, explained, listAll, listingOf } from "../client";

/**
 * Looks at an external store, with its keys and certificates: whether it answers,
 * and whether its buckets are free or the stack's; writes nothing.
 *
 * @throws UserError with what is in the way
 */
export async function lookAtStore(settings: Settings, stack: string, id: string | undefined) {
  const { s3Endpoint } = settings;
  const { client, buckets, certificates } = storeOfSettings(settings);
  const read = onlyRead(settings.datasetSource);
  const written = bucketPurposes.filter((purpose) => !read.includes(purpose));
  const claims = await explained(() =>
    Promise.all(written.map((purpose) => readClaim(client, buckets[purpose]))),
  );
  const host = bare(new URL(s3Endpoint!).hostname);
  const hosts = Object.values(buckets).map((bucket) => `${bucket}.${host}`);
  await checkCertificate(s3Endpoint!, settings.s3PathStyle ? [host] : hosts);
  claims.forEach((claim, at) => {
    if (claim) checkClaim(buckets[written[at]], claim, id);
  });
  const record = storeRecord(stack);
  if (record && record.endpoint !== s3Endpoint && !claims.some(Boolean)) {
    throw new UserError(
      `s3Endpoint is "${s3Endpoint}", where nothing of this stack is, and its data is at ${record.endpoint}`,
      "a stack keeps its store for life: what it has put into the old one would be left behind",
      "set s3Endpoint back, take another stack, or destroy this one first",
    );
  }
  return {
    buckets,
    /** Hash of the certificates that are trusted for it, or null for the system's. */
    certificates: certificates === undefined ? null : shortHash(certificates),
    /** Rises when what the stack had put there is gone, or is to be in other buckets. */
    generation: generation(stack, storeStep, () => claims.every(Boolean), "lost buckets"),
  };
}

/**
 * Looks whether all engines take a store's certificate. The library, pyarrow and Java are content with
 * less than rustls, by which Daft, Polars and DataFusion speak TLS. See
 * https://github.com/briansmith/webpki/issues/114 (CAUsedAsEndEntity).
 *
 * @param hosts the names in the requests: the store's, or those of buckets
 * @throws UserError with what they would refuse; nothing is said of what cannot be reached
 */
export async function checkCertificate(endpoint: string, hosts: readonly string[]): Promise<void> {
  const { hostname, port, protocol } = new URL(endpoint);
  if (protocol !== "https:") return;
  const [servername] = hosts.filter((host) => isIP(host) === 0);
  // Nothing is sent by this connection: whether the certificate is trusted is asked with each request.
  const place = { host: bare(hostname), port: Number(port || 443), servername };
  const socket = tls.connect({ ...place, rejectUnauthorized: false, timeout: 10_000 });
  socket.once("timeout", () => socket.destroy(new Error("no answer")));
  const reached = await once(socket, "secureConnect").catch(() => undefined);
  const certificate = reached && socket.getPeerX509Certificate();
  socket.destroy();
  if (certificate === undefined) return;
  const named = (host: string) =>
    isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host, { subject: "never" });
  const unnamed = hosts.find((host) => named(host) === undefined);
  const refused = (what: string) =>
    new UserError(
      `the object store's certificate ${what}`,
      "Daft, Polars and DataFusion refuse such a certificate, though others do not",
      "give the store one with subjectAltName and without CA:TRUE (openssl req -x509 needs " +
        "-addext basicConstraints=critical,CA:FALSE), and s3CaCertificates the new one or its authority's",
    );
  if (certificate.ca) throw refused("is an authority's (CA:TRUE)");
  if (unnamed !== undefined) throw refused(`does not name ${unnamed} as subjectAltName`);
}

const bare = (host: string) => host.replace(/^\[|\]$/g, ""); // of an address of IPv6

/** The store that settings name, which the stack may not know yet. */
function storeOfSettings(settings: Settings) {
  const { s3CaCertificates: file } = settings;
  const certificates = file === undefined ? undefined : readCertificates(file);
  const client = clientOf({
    endpoint: settings.s3Endpoint!,
    region: settings.s3Region,
    pathStyle: settings.s3PathStyle,
    bulkDelete: settings.s3BulkDelete,
    checksums: settings.s3Checksums,
    accessKey: settings.s3AccessKey!,
    secretKey: settings.s3SecretKey!,
    ...(certificates === undefined ? {} : { caCertificates: certificates }),
  });
  const buckets = bucketsNamed(settings.bucketPrefix, settings.bucketNames);
  return { client, buckets, certificates };
}

/** Declares an external object store: only what the stack puts into it is the stack's. */
export function declareStore(
  settings: Settings,
  { buckets, certificates, generation }: Awaited<ReturnType<typeof lookAtStore>>,
  credentials: KeptCredentials,
): ObjectStore {
  const { s3Endpoint, s3Region, s3PathStyle, s3CaCertificates } = settings;
  const { s3BulkDelete, s3Checksums } = settings;
  const dataId = `s3 ${generation}`;
  const spec = {
    store: settings.objectStore,
    endpoint: s3Endpoint,
    region: s3Region,
    pathStyle: s3PathStyle,
    ...(s3BulkDelete ? {} : { bulkDelete: false }),
    ...(s3Checksums ? {} : { checksums: false }),
    certificates: certificates === null ? null : { file: s3CaCertificates, hash: certificates },
    keys: credentials.generations.s3,
    ...{ buckets, generation },
  };
  return {
    endpoint: s3Endpoint!,
    consoleUrl: "", // none is known
    dataId,
    ready: step(storeStep, { kind: "s3-store", spec }, { dependsOn: credentials.resource }),
    bucketNames: buckets,
    declareBucket(owner, { bucket, prefixes }, opts) {
      const spec = { bucket, prefixes, store: dataId };
      return step(`${owner}-${bucket}`, { kind: "s3-bucket", spec }, opts);
    },
  };
}

/**
 * Looks at what somebody else has put into the store that settings name.
 *
 * @throws UserError where there is nothing, or the stack itself has put it there
 */
export async function lookAtForeign(
  settings: Settings,
  purpose: BucketPurpose,
  prefixes: readonly string[],
) {
  const { client, buckets } = storeOfSettings(settings);
  const bucket = buckets[purpose];
  return explained(async () => {
    const claim = await readClaim(client, bucket, true);
    const own = claim?.prefixes.find((prefix) => prefixes.includes(prefix));
    if (own !== undefined) throw notThere(`what bucket ${bucket} has at ${own} is a stack's own`);
    const exists = await client.bucketExists(bucket);
    const objects = exists ? await listAll(client, bucket, prefixes) : new Map<never, never>();
    if (objects.size > 0) return listingOf(objects);
    throw notThere(`bucket ${bucket} has nothing at ${prefixes.join(" and ")}`);
  });
}

function notThere(what: string): UserError {
  return new UserError(
    what,
    "datasetSource is existing: runs read data that somebody else has put there",
    "set bucketNames to where it is, or datasetSource to sample",
  );
}
