import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../../infra/userError";
import { dependencyUrns } from "./graph";
import type { Passphrase } from "./secrets";
import type { Operation, Resource } from "./types";
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

/** The engine whose deployment format this is; the format carries its hash as a "magic" check. */
const ENGINE_VERSION = "v3.248.0";

/** A stack's state in memory: secrets decrypted, in the shape of values.ts. */
export interface State {
  resources: Resource[];
  pending: Operation[];
}

/** What state.json holds, which is also what `pulumi stack export` prints and `import` takes. */
export interface Deployment {
  version: 3;
  deployment: {
    manifest: { time: string; magic: string; version: string };
    secrets_providers?: { type: "passphrase"; state: { salt: string } };
    resources?: Resource[];
    pending_operations?: Operation[];
    metadata?: Record<string, never>;
  };
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
  try {
    const deployment = JSON.parse(fs.readFileSync(file, "utf8")) as Deployment;
    verify(deployment);
    return deployment;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (missing && !fs.existsSync(backupPath(stackFolder))) {
      return undefined;
    }
    throw new UserError(
      missing ? `${file} is missing.` : `${file} cannot be used: ${(error as Error).message}`,
      "Without its state the runner cannot know what stands, and would make everything again.",
      `Put the last good copy back (cp '${backupPath(stackFolder)}' '${file}') and try again.`,
    );
  }
}

function verify({ version, deployment }: Deployment): void {
  if (version !== 3 || !isObject(deployment)) {
    throw new Error(`it is no deployment of version 3 (version: ${JSON.stringify(version)})`);
  }
  const provider = deployment.secrets_providers;
  if (provider && provider.type !== "passphrase") {
    throw new Error(`its secrets are encrypted by "${String(provider.type)}", not "passphrase"`);
  }
  verifyResources(deployment.resources ?? []);
}

/** @throws Error when a resource lacks something or stands before what it depends on */
export function verifyResources(resources: readonly Resource[]): void {
  const seen = new Set<string>();
  for (const resource of resources) {
    if (!resource.urn?.startsWith("urn:pulumi:") || !resource.type) {
      throw new Error(
        `a resource lacks its urn or type: ${JSON.stringify(resource).slice(0, 120)}`,
      );
    }
    if (resource.custom && !resource.id) {
      throw new Error(`${resource.urn} has no id`);
    }
    for (const urn of dependencyUrns(resource)) {
      if (!seen.has(urn)) {
        throw new Error(`${resource.urn} refers to ${urn}, which does not stand before it`);
      }
    }
    seen.add(resource.urn);
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
        magic: createHash("sha256").update(ENGINE_VERSION).digest("hex"),
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
    fs.writeSync(handle, text);
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
    return passphrase ? (JSON.parse(passphrase.decrypt(sealed)) as Value) : null;
  };
  return (value) => transform(value, (part) => (isSecret(part) ? secret(open(part)) : undefined));
}
