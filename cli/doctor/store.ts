import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as path from "node:path";
import { storeAccess } from "../../infra/stores/access";
import { datasetFolder } from "../../infra/host/folders";
import { readStepRecord } from "../../infra/stack/records";
import { bucketNamesOf } from "../../infra/stores/access";
import { explained, listObjects, storeClient } from "../../infra/stores/client";
import type { ManifestEntry } from "../../infra/stores/upload";
import { UserError } from "../../infra/contracts/errors";
import { makingStep } from "../../pipelines/places";
import { datasetOf, workloadOf } from "../../results/catalog";
import { check, logs, npm, stands, type Check, type Named, type Patient } from "./check";

/** What answered where the store should be. */
export interface StoreSeen {
  readonly endpoint: string;
  /** Of the answer to a request without credentials; undefined where there was none. */
  readonly answer?: { readonly server: string; readonly date: string };
  /** Why there was none, e.g. ECONNREFUSED. */
  readonly silent?: string;
}

/** What to do about a store that does not answer. */
function wakeUp(patient: Named): string {
  const { stack, settings } = patient;
  return settings.objectStore === "minio"
    ? `wait if it has just been started; else see ${logs(patient, "minio")}, then ${npm(stack, "start")} starts it again`
    : "see that it runs, that this machine reaches it, and that s3CaCertificates has the authority that signed its certificate";
}

/** S3 refuses requests whose clock is a quarter of an hour off; half of that is no accident. */
const mostSkew = 7 * 60_000;

/** @param now milliseconds of the epoch */
export function wrongStore(
  { endpoint, answer, silent }: StoreSeen,
  patient: Named,
  now: number,
): UserError[] {
  if (!answer) {
    return [
      new UserError(
        `the object store does not answer at ${endpoint} (${silent})`,
        "all data lives in it: runs and uploads end with connection refused",
        wakeUp(patient),
      ),
    ];
  }
  if (patient.settings.objectStore === "minio" && !/minio/i.test(answer.server)) {
    return [
      new UserError(
        `${endpoint} is answered by ${answer.server || "a server without a name"}, not by MinIO`,
        "another program has the store's port",
        `end that program, then ${npm(patient.stack, "start")}; or move the stack to another portOffset`,
      ),
    ];
  }
  const skew = Math.abs(now - Date.parse(answer.date));
  if (!(skew > mostSkew)) return [];
  return [
    new UserError(
      `the store's clock and this machine's are ${Math.round(skew / 60_000)} minutes apart`,
      "requests are signed with the time and refused (RequestTimeTooSkewed); the machine of WSL2 or Docker Desktop loses time while the computer sleeps",
      "set the clocks: sudo hwclock -s, or wsl --shutdown, or restart Docker Desktop",
    ),
  ];
}

/** A dataset that runs read, and what is in the store of it. */
export interface DataSeen {
  readonly dataset: string;
  /** The bucket's name. */
  readonly bucket: string;
  readonly bucketThere: boolean;
  /** Sizes in bytes of the objects, by name. */
  readonly objects: ReadonlyMap<string, number>;
  /** The files that were uploaded; undefined where that is not known any more. */
  readonly manifest?: readonly Pick<ManifestEntry, "path" | "bytes">[];
}

export function missingData(all: readonly DataSeen[], stack: string): UserError[] {
  return all.flatMap(({ dataset, bucket, bucketThere, objects, manifest }) => {
    const told = (what: string) => [
      new UserError(
        what,
        "runs that read it fail (FileNotFoundError, NoSuchKey, NoSuchBucket)",
        `${npm(stack, "start")} uploads what never was; what was removed since comes back with ` +
          `${npm(stack, "destroy")} before it, which keeps the results`,
      ),
    ];
    if (!bucketThere) return told(`bucket ${bucket} with the ${dataset} data is gone`);
    if (objects.size === 0) return told(`bucket ${bucket} has nothing of the ${dataset} data`);
    const wrong = (manifest ?? []).filter(({ path, bytes }) => objects.get(path) !== bytes);
    if (wrong.length === 0) return [];
    return told(
      `${wrong.length} of ${manifest!.length} files of the ${dataset} data are not in bucket ${bucket} as they were uploaded, e.g. ${wrong[0].path}`,
    );
  });
}

async function ask({ stack }: Patient): Promise<StoreSeen> {
  const { endpoint, caCertificates } = storeAccess(stack);
  return askStore(endpoint, caCertificates);
}

/**
 * Asks who is at an address, without credentials.
 *
 * @param ca certificates that alone are trusted for it, as PEM. @default the system's
 */
export async function askStore(endpoint: string, ca?: string): Promise<StoreSeen> {
  const url = new URL("/minio/health/live", endpoint);
  const { get } = url.protocol === "https:" ? https : http;
  const signal = AbortSignal.timeout(5_000);
  try {
    const request = get(url, { ca, signal, agent: false });
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    answer.resume();
    const { server, date = "" } = answer.headers;
    return { endpoint, answer: { server: String(server ?? ""), date } };
  } catch (error) {
    const { cause, code, message } = error as NodeJS.ErrnoException & { cause?: Error };
    return { endpoint, silent: cause?.message ?? code ?? message };
  }
}

async function look({ stack, runs }: Patient): Promise<DataSeen[]> {
  const client = storeClient(stack);
  const datasets = new Set(runs.map((run) => workloadOf(run.split("/")[1]).dataset));
  const seen = [...datasets].map(async (dataset): Promise<DataSeen> => {
    const { bucket: purpose, owns } = datasetOf(dataset);
    const bucket = bucketNamesOf(stack)[purpose];
    const bucketThere = await client.bucketExists(bucket);
    const prefixes = bucketThere ? owns : [];
    const listed = await Promise.all(prefixes.map((each) => listObjects(client, bucket, each)));
    const objects = new Map(
      listed.flatMap((some) => [...some].map(([name, { size }]) => [name, size] as const)),
    );
    return { dataset, bucket, bucketThere, objects, manifest: manifestOf(stack, dataset) };
  });
  return explained(() => Promise.all(seen));
}

function manifestOf(stack: string, dataset: string): ManifestEntry[] | undefined {
  const version = readStepRecord(stack, makingStep(dataset))?.result.version;
  const file = path.join(datasetFolder(dataset, String(version)), "manifest.json");
  return fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, "utf8")) as ManifestEntry[])
    : undefined;
}

export const storeChecks: readonly Check[] = [
  check({
    id: "store",
    name: "the object store answers",
    applies: stands,
    after: ["docker"],
    observe: ask,
    judge: (seen, patient) => wrongStore(seen, patient, Date.now()),
  }),
  check({
    id: "data",
    name: "the store has the data that runs read",
    applies: stands,
    after: ["docker", "store"],
    observe: look,
    judge: (seen, { stack }) => missingData(seen, stack),
  }),
];
