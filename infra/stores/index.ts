import type { KeptCredentials } from "../stack/keptCredentials";
import type { ObjectStore } from "../contracts/platform";
import type { Settings } from "../settings/schema";
import { readStepRecord } from "../stack/records";
import { UserError } from "../contracts/errors";
import { storeRecord } from "./access";

/** Declares a store that is not the target's own. */
export type DeclareStore = (credentials: KeptCredentials) => ObjectStore;

/**
 * Looks at the store that the settings ask for; writes nothing. What only one kind of store needs is
 * loaded for it alone.
 *
 * @returns what declares it, or undefined where the target has its own
 * @throws UserError with what is in the way
 */
export async function prepareStore(
  settings: Settings,
  stack: string,
  id?: string,
): Promise<DeclareStore | undefined> {
  checkSameStore(settings, stack);
  switch (settings.objectStore) {
    case "minio":
      return undefined;
    case "s3": {
      const { lookAtStore, S3Store } = await import("./s3/store");
      const seen = await lookAtStore(settings, stack, id);
      return (credentials) => new S3Store("store", { settings, seen, credentials });
    }
    case "aws": {
      const { AwsStore, lookAtAccount } = await import("./aws/store");
      const seen = await lookAtAccount(settings, stack);
      return () => new AwsStore("store", { settings, stack, seen });
    }
  }
}

/** @throws UserError where the stack has put its data elsewhere */
function checkSameStore({ objectStore }: Settings, stack: string): void {
  const before = kindOf(stack) ?? objectStore;
  if (before === objectStore) return;
  throw new UserError(
    `objectStore is "${objectStore}", and stack ${stack} was made with ${before}`,
    "a stack keeps its store for life: what it has put into the old one would be left behind",
    `set objectStore back to ${before}, take another stack, or destroy this one first`,
  );
}

/** The kind of store that a stack was made with, or undefined where there is none yet. */
function kindOf(stack: string): Settings["objectStore"] | undefined {
  const record = storeRecord(stack);
  if (record) return record.role === undefined ? "s3" : "aws";
  return readStepRecord(stack, "minio-data") ? "minio" : undefined;
}
