import * as fs from "node:fs";
import * as path from "node:path";
import { storeClient } from "../infra/stores/client";
import { reportFile, reportKey, writeWhole } from "../results/records";

/** Writes the stack folder's copy, whole or not at all. */
export function keepHere(stack: string, page: string): void {
  writeWhole(reportFile(stack), page);
}

/** Puts the report into the store. */
export async function keepInStore(stack: string, bucket: string, page: string): Promise<void> {
  const client = storeClient(stack);
  const type = { "Content-Type": "text/html; charset=utf-8" };
  await client.putObject(bucket, reportKey, page, Buffer.byteLength(page), type);
}

/** Removes the stack folder's copy; the store's goes with its bucket. */
export function removeHere(stack: string): void {
  fs.rmSync(path.dirname(reportFile(stack)), { recursive: true, force: true });
}
