import * as fs from "node:fs";
import * as path from "node:path";
import { storeClient } from "../infra/stores/client";
import { reportFile, reportKey } from "../results/reportPlace";

/** Writes the stack folder's copy, whole or not at all. */
export function keepHere(stack: string, page: string): void {
  const file = reportFile(stack);
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${file}.${process.pid}`, page);
  fs.renameSync(`${file}.${process.pid}`, file);
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
