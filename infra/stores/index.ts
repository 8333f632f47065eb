import type { Store } from "../contracts/target";
import type { ObjectStore } from "../contracts/platform";
import { UserError } from "../contracts/errors";
import type { StackContext } from "../host/checks";
import type { Settings } from "../settings/schema";
import type { KeptCredentials } from "../stack/step";
import { readStepRecord } from "../stack/records";
import { storeRecord } from "./access";
import { aws } from "./aws";
import { minio } from "./minio";
import { s3 } from "./s3";

/** The kinds of object store. A new one is a folder here and a name in this list. */
export const stores: Store<Settings, KeptCredentials>[] = [minio, s3, aws];

/** @throws Error for a name that {@link stores} does not have: settings are checked before */
export function storeNamed(name: string): Store<Settings, KeptCredentials> {
  const found = stores.find((store) => store.name === name);
  if (!found) throw new Error(`no object store "${name}"`);
  return found;
}

export type DeclareStore = (credentials: KeptCredentials) => ObjectStore;

/**
 * Looks at the store that the settings ask for; writes nothing.
 *
 * @returns what declares it, or undefined where the target has to start it
 * @throws UserError with what is in the way
 */
export async function prepareStore(context: StackContext): Promise<DeclareStore | undefined> {
  const { stack } = context;
  const { objectStore } = context.settings;
  const record = storeRecord(stack)?.store;
  const before = record ?? (readStepRecord(stack, "minio-data") ? minio.name : objectStore);
  if (before === objectStore) return storeNamed(objectStore).prepare?.(context);
  throw new UserError(
    `objectStore is "${objectStore}", and stack ${stack} was made with ${before}`,
    "a stack keeps its store for life: what it has put into the old one would be left behind",
    `set objectStore back to ${before}, take another stack, or destroy this one first`,
  );
}
