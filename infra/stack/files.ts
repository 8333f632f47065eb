import { hash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import { makeOwnFolders, type OwnFolders } from "../host/environment";
import { attempt, stackFolder } from "../host/folders";

/** Where each file and folder is that a stack owns outside the checkout. No other code joins these paths. */
export function stackFiles(stack: string) {
  const root = stackFolder(stack);
  const at = (...parts: string[]) => path.join(root, ...parts);
  return {
    root,
    /** Who owns the stack, with its id. */
    owner: at("owner.json"),
    /** All secrets of the stack's services, as JSON. */
    credentials: at("credentials.json"),
    /** The bare token of the Ray cluster. */
    rayToken: at("ray-token"),
    /** The bare secret of the Spark cluster. */
    sparkSecret: at("spark-secret"),
    /** The certificates that are trusted for an external store, as they were when it was declared. */
    storeCertificates: at("store-ca.pem"),
    /** Buckets that were about to be made in an external store. */
    buckets: at("buckets.json"),
    /** The Docker daemon that the stack is deployed to. */
    daemon: at("docker.json"),
    /** What steps recorded of services, tools and data. */
    records: at("records"),
    record: (name: string) => at("records", `${name}.json`),
    runs: at("runs"),
    /** What a run is doing, or what came of its last attempt. */
    run: (run: string, part: "record" | "progress") => at("runs", `${run}.${part}.json`),
    inputs: at("inputs"),
    /** What a run or oracle depends on in the deployment that was begun last. */
    input: (run: string) => at("inputs", `${run}.json`),
    /** All results and failures, which destroy keeps. */
    history: at("history", "results.jsonl"),
    report: at("report", "index.html"),
    /** The pid of the process whose user asked to stop. */
    stopping: at("stopping"),
    logs: at("logs"),
    /** The log of a service, or `folder, name` of a part. */
    log: (...name: string[]) => `${at("logs", ...name)}.log`,
    supervisor: at("supervisor"),
    supervisorLog: at("supervisor", "supervisord.log"),
    programs: at("supervisor", "conf.d"),
    /** supervisord's configuration of a service. */
    program: (service: string) => at("supervisor", "conf.d", `${service}.conf`),
    minio: at("minio"),
    minioData: at("minio", "data"),
    /** A file on MinIO's drive by which one sees that the data is still there. */
    minioDataId: at("minio", "data", ".engine-comparison"),
    spark: at("spark"),
    /** What a Spark worker keeps while it runs. */
    sparkWorker: (service: string) => at("spark", service),
    scratch: at("scratch"),
    /** The home of services and jobs. */
    home: at("home"),
    /** The state of the Pulumi CLI, where `npm start` chose the place. */
    backend: at("pulumi-backend"),
    /** What the Pulumi CLI keeps there. */
    backendFiles: at("pulumi-backend", ".pulumi"),
    /** The project folder that `npm start` gives to the Pulumi CLI. */
    project: at("pulumi"),
    /** The state of the embedded runner, with a copy and a lock. */
    state: at("state.json"),
    stateCopy: at("state.json.bak"),
    stateLock: at("lock.json"),
    /** What `--config` set, in the format of Pulumi's stack files. */
    settings: at(`Pulumi.${stack}.yaml`),
    /** What encrypts the secrets in settings and state. */
    passphrase: at("passphrase"),
  } as const;
}

/** The JSON of a file; undefined where it is missing or broken. */
export function readJson<T>(file: string): T | undefined {
  return attempt(() => JSON.parse(fs.readFileSync(file, "utf8")) as T);
}

/** Writes a file for this user alone, whole or not at all; its folder is made. */
export function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`;
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    fs.writeFileSync(temporary, text, { mode: 0o600 });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Writes a file for this user alone unless it exists, whole; its folder is made.
 *
 * @returns false where the file was there, or another process was faster
 */
export function writeOnce(file: string, text: string): boolean {
  const temporary = `${file}.${process.pid}.first`;
  writeWhole(temporary, text);
  try {
    fs.linkSync(temporary, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}

export function writeJson(file: string, value: unknown): void {
  writeWhole(file, JSON.stringify(value));
}

/** Unix sockets have 108 bytes for their path, less on other systems; Ray's add 60 to its folder's. */
const maxSocketPath = 100;

/**
 * A folder with a short path for sockets, named by a hash of the stack folder. It lives under /tmp, so
 * a reboot may remove it: whoever uses it calls {@link makeShortFolder} first. TMPDIR differs between
 * sessions, and so counts only where /tmp cannot be written.
 */
export function shortFolder(stack: string): string {
  const isTmpWritable = attempt(() => fs.accessSync("/tmp", fs.constants.W_OK) ?? true);
  const base = isTmpWritable ? "/tmp" : os.tmpdir();
  const name = hash("sha256", stackFolder(stack)).slice(0, 12);
  return path.join(base, `ec-${name}`);
}

/**
 * Makes the short folder, for this user alone.
 *
 * @throws UserError where another user has a folder of its name
 */
export function makeShortFolder(stack: string): string {
  const folder = shortFolder(stack);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const existing = fs.lstatSync(folder);
  if (!existing.isDirectory() || existing.uid !== process.getuid?.()) {
    throw new UserError(
      `${folder} belongs to another user`,
      "the sockets of this stack's services go there, and that user could answer on them",
      "have it removed, or set ENGINE_COMPARISON_HOME to another folder, which gives it another name",
    );
  }
  fs.chmodSync(folder, 0o700);
  return folder;
}

/** Makes the folders that the stack's services and jobs have instead of the user's. */
export function makeStackFolders(stack: string): OwnFolders {
  const temporary = path.join(makeShortFolder(stack), "tmp");
  return makeOwnFolders({ home: stackFiles(stack).home, temporary });
}

/** The supervisor's socket: in the stack folder if the path is short enough. */
export function supervisorSocket(stack: string): string {
  const inside = path.join(stackFiles(stack).supervisor, "supervisor.sock");
  return Buffer.byteLength(inside) <= maxSocketPath
    ? inside
    : path.join(shortFolder(stack), "supervisor.sock");
}

/** Ray's sessions: sockets, logs and spilled objects. */
export function rayFolder(stack: string): string {
  return path.join(shortFolder(stack), "ray");
}

/** JSON with sorted keys, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The first 16 hex digits of the SHA-256 of `value`'s canonical JSON. */
export function shortHash(value: unknown): string {
  return hash("sha256", canonicalJson(value)).slice(0, 16);
}
