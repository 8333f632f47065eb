import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../infra/userError";
import type { Passphrase } from "./secrets";
import type { Deployment, Operation, Resource } from "./types";
import {
  isObject,
  isSecret,
  SECRET,
  secret,
  SIGNATURE,
  transform,
  type Properties,
  type Value,
} from "./values";
import { magicOf, verifyDeployment } from "./verify";

/** The engine whose deployment format this is. */
const ENGINE_VERSION = "v3.248.0";

/** A stack's state in memory: secrets decrypted, in the shape of values.ts. */
export interface State {
  resources: Resource[];
  pending: Operation[];
}

export const statePath = (stackFolder: string) => path.join(stackFolder, "state.json");
export const backupPath = (stackFolder: string) => path.join(stackFolder, "state.json.bak");

/**
 * The state as it is on disk; undefined for a stack that has none yet.
 *
 * @throws UserError when it cannot be trusted
 */
export function readDeployment(stackFolder: string): Deployment | undefined {
  const file = statePath(stackFolder);
  const backup = backupPath(stackFolder);
  try {
    return load(file);
  } catch (error) {
    const missing = isMissing(error);
    if (missing && !fs.existsSync(backup)) {
      return undefined;
    }
    throw new UserError(
      missing ? `${file} is missing.` : `${file} cannot be used: ${(error as Error).message}`,
      "Without its state the runner cannot know what stands, and would make everything again.",
      isGood(backup)
        ? `Put the last good copy back (cp '${backup}' '${file}') and try again.`
        : "There is no good copy of it: end what stands by hand, as docs/troubleshooting.md says.",
    );
  }
}

function load(file: string): Deployment {
  return verifyDeployment(JSON.parse(fs.readFileSync(file, "utf8")));
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function isGood(file: string): boolean {
  try {
    load(file);
    return true;
  } catch {
    return false;
  }
}

/** @param passphrase undefined leaves secrets as `secret(null)`, for showing only */
export function decryptState(stored: Deployment | undefined, passphrase?: Passphrase): State {
  const { resources = [], pending_operations: operations = [] } = stored?.deployment ?? {};
  return {
    resources: resources.map((resource) => convert(resource, decrypted(passphrase))),
    pending: operations.map((operation) => ({
      ...operation,
      resource: convert(operation.resource, decrypted(passphrase)),
    })),
  };
}

/**
 * Writes the state so that at every moment a whole one is on disk, and keeps the one before as
 * state.json.bak.
 */
export function writeState(stackFolder: string, state: State, passphrase: Passphrase): void {
  const stored: Deployment = {
    version: 3,
    deployment: {
      manifest: {
        time: new Date().toISOString(),
        magic: magicOf(ENGINE_VERSION),
        version: ENGINE_VERSION,
      },
      secrets_providers: { type: "passphrase", state: { salt: passphrase.salt } },
      resources: state.resources.map((resource) => convert(resource, encrypted(passphrase))),
      pending_operations: state.pending.map((operation) => ({
        ...operation,
        resource: convert(operation.resource, encrypted(passphrase)),
      })),
      metadata: {},
    },
  };
  const file = statePath(stackFolder);
  writeDurably(`${file}.new`, `${JSON.stringify(stored, undefined, 2)}\n`);
  if (fs.existsSync(file)) {
    const link = `${file}.bak.new`;
    fs.rmSync(link, { force: true });
    fs.linkSync(file, link);
    fs.renameSync(link, backupPath(stackFolder));
  }
  fs.renameSync(`${file}.new`, file);
  const folder = fs.openSync(stackFolder, "r");
  fs.fsyncSync(folder);
  fs.closeSync(folder);
}

function writeDurably(file: string, text: string): void {
  const handle = fs.openSync(file, "w", 0o600);
  try {
    fs.writeFileSync(handle, text); // all of it or an error: writeSync may write a part and be content
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/** The resource with each property value converted. */
function convert(resource: Resource, property: (value: Value) => Value): Resource {
  const all = (properties?: Properties) =>
    properties &&
    Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, property(value)]));
  return compact({ ...resource, inputs: all(resource.inputs), outputs: all(resource.outputs) });
}

/** The resource without its empty fields, as it is stored. */
export function compact(resource: Resource): Resource {
  const filled = Object.entries(resource).filter(([key, value]: [string, unknown]) => {
    const empty = isObject(value) || Array.isArray(value) ? !Object.keys(value).length : !value;
    return key === "custom" || !empty;
  });
  return Object.fromEntries(filled) as unknown as Resource;
}

function encrypted(passphrase: Passphrase): (value: Value) => Value {
  return (value) =>
    transform(value, (part) => {
      const inside = isSecret(part) ? JSON.stringify(part.value) : undefined;
      return inside && { [SIGNATURE]: SECRET, ciphertext: passphrase.encrypt(inside) };
    });
}

function decrypted(passphrase: Passphrase | undefined): (value: Value) => Value {
  const open = ({ ciphertext }: { [key: string]: Value }): Value => {
    const sealed = typeof ciphertext === "string" ? ciphertext : "";
    return passphrase ? unseal(sealed, passphrase) : null;
  };
  return (value) => transform(value, (part) => (isSecret(part) ? secret(open(part)) : undefined));
}

function unseal(ciphertext: string, passphrase: Passphrase): Value {
  try {
    return JSON.parse(passphrase.decrypt(ciphertext)) as Value;
  } catch (error) {
    throw new UserError(
      `A secret in the stack's state cannot be decrypted: ${(error as Error).message}`,
      "It was changed since the runner wrote it, and the rest of the state may have been, too.",
      "Put the copy state.json.bak, beside state.json in the stack folder, in its place and try again.",
    );
  }
}
