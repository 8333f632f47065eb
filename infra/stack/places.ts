import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { stackFolder } from "../host/folders";
import { UserError } from "../contracts/errors";

/** Where target `local` keeps what a stack owns, inside the stack folder. */
export function places(stack: string) {
  const root = stackFolder(stack);
  const at = (...parts: string[]) => path.join(root, ...parts);
  return {
    root,
    logs: at("logs"),
    /** Records of what stands; standing.ts writes them. */
    standing: at("standing"),
    supervisor: at("supervisor"),
    /** One supervisord configuration file a service. */
    programs: at("supervisor", "conf.d"),
    minio: at("minio"),
    minioData: at("minio", "data"),
    spark: at("spark"),
    scratch: at("scratch"),
  } as const;
}

/** The log of the service `name`, which the supervisor writes. */
export function serviceLog(stack: string, name: string): string {
  return path.join(places(stack).logs, `${name}.log`);
}

/** Unix sockets have 108 bytes for their path, less on other systems; Ray's add 60 to its folder's. */
const longestSocketPath = 100;

/**
 * A folder with a short path for sockets, named by a hash of the stack folder. It lives under
 * /tmp, so a reboot may remove it: whoever uses it calls {@link makeShortFolder} first.
 */
export function shortFolder(stack: string): string {
  const temporary = os.tmpdir();
  const base = temporary.length <= 20 ? temporary : "/tmp";
  const hash = createHash("sha256").update(stackFolder(stack)).digest("hex");
  return path.join(base, `ec-${hash.slice(0, 12)}`);
}

/**
 * Makes the short folder, for this user alone.
 *
 * @throws UserError where another user holds its name
 */
export function makeShortFolder(stack: string): string {
  const folder = shortFolder(stack);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = fs.lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new UserError(
      `${folder} belongs to somebody else`,
      "the sockets of this stack's services go there, and another user could answer on them",
      "remove it, or set TMPDIR to a folder of your own with a short path",
    );
  }
  fs.chmodSync(folder, 0o700);
  return folder;
}

/** The supervisor's socket: in the stack folder if the path is short enough. */
export function supervisorSocket(stack: string): string {
  const inside = path.join(places(stack).supervisor, "supervisor.sock");
  return Buffer.byteLength(inside) <= longestSocketPath
    ? inside
    : path.join(shortFolder(stack), "supervisor.sock");
}

/** Ray's sessions: sockets, logs and spilled objects. */
export function rayFolder(stack: string): string {
  return path.join(shortFolder(stack), "ray");
}

/** A file on MinIO's drive by which one sees that the data is still there. */
export function dataMark(stack: string): string {
  return path.join(places(stack).minioData, ".engine-comparison");
}
