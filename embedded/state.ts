import * as fs from "node:fs";
import * as path from "node:path";
import { EmbeddedError } from "./errors";
import type { Passphrase } from "./secrets";
import type { Deployment, Operation, Resource } from "./types";
import {
  isObject,
  isSecret,
  mapValues,
  secret,
  secretSignature,
  signatureKey,
  transform,
  type Properties,
  type SecretValue,
  type Value,
} from "./values";
import { magicOf, verifyDeployment } from "./verify";

/** The engine whose deployment format this is. */
const version = "v3.248.0";

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
 * @throws EmbeddedError when it is damaged
 */
export function readDeployment(stackFolder: string): Deployment | undefined {
  const file = statePath(stackFolder);
  const backup = backupPath(stackFolder);
  const stored = load(file);
  if (!(stored instanceof Error)) return stored;
  const missing = (stored as NodeJS.ErrnoException).code === "ENOENT";
  if (missing && !fs.existsSync(backup)) return undefined;
  const good = !(load(backup) instanceof Error);
  throw new EmbeddedError(
    missing ? `${file} is missing.` : `${file} cannot be used: ${stored.message}`,
    "Without its state a stack would be made a second time.",
    good
      ? `Put the last good copy back (cp '${backup}' '${file}') and try again.`
      : "There is no good copy of it: delete by hand what the stack has made.",
    !good,
  );
}

function load(file: string): Deployment | Error {
  try {
    return verifyDeployment(JSON.parse(fs.readFileSync(file, "utf8")));
  } catch (error) {
    return error as Error;
  }
}

/** @param passphrase without it secrets are `secret(null)`, for showing only */
export function decryptState(stored: Deployment | undefined, passphrase?: Passphrase): State {
  const { resources, pending_operations: pending } = stored?.deployment ?? {};
  return convert({ resources: resources ?? [], pending: pending ?? [] }, ({ ciphertext }) =>
    secret(passphrase ? unseal(ciphertext, passphrase) : null),
  );
}

/**
 * Writes the state so that at every moment a whole one is on disk, and keeps the one before as
 * state.json.bak.
 */
export function writeState(stackFolder: string, state: State, passphrase: Passphrase): void {
  const { resources, pending } = convert(state, ({ value }) => ({
    [signatureKey]: secretSignature,
    ciphertext: passphrase.encrypt(JSON.stringify(value)),
  }));
  const stored: Deployment = {
    version: 3,
    deployment: {
      manifest: { time: new Date().toISOString(), magic: magicOf(version), version },
      secrets_providers: { type: "passphrase", state: { salt: passphrase.salt } },
      resources,
      pending_operations: pending,
      metadata: {},
    },
  };
  const file = statePath(stackFolder);
  const text = `${JSON.stringify(stored, undefined, 2)}\n`;
  fs.writeFileSync(`${file}.new`, text, { mode: 0o600, flush: true });
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

/** The state with each secret converted. */
function convert(state: State, change: (sealed: SecretValue & Properties) => Value): State {
  const changed = (part: Value) => (isSecret(part) ? change(part) : undefined);
  const all = (properties: Properties = {}) =>
    mapValues(properties, (value) => transform(value, changed));
  const converted = (resource: Resource) =>
    compact({ ...resource, inputs: all(resource.inputs), outputs: all(resource.outputs) });
  return {
    resources: state.resources.map(converted),
    pending: state.pending.map((each) => ({ ...each, resource: converted(each.resource) })),
  };
}

/** The resource without its empty fields, as it is stored. */
export function compact(resource: Resource): Resource {
  const filled = Object.entries(resource).filter(([key, value]: [string, unknown]) => {
    const empty = isObject(value) || Array.isArray(value) ? !Object.keys(value).length : !value;
    return key === "custom" || !empty;
  });
  return Object.fromEntries(filled) as unknown as Resource;
}

function unseal(ciphertext: Value, passphrase: Passphrase): Value {
  try {
    return JSON.parse(passphrase.decrypt(ciphertext as string)) as Value;
  } catch (error) {
    throw new EmbeddedError(
      `A secret in the stack's state cannot be decrypted: ${(error as Error).message}`,
      "It was changed since it was written, and the rest of the state may have been, too.",
      "Put the copy state.json.bak, beside state.json in the stack folder, in its place and try again.",
    );
  }
}
