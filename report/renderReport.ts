import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bucketNamesOf } from "../infra/stores/access";
import { storeClient } from "../infra/stores/client";
import { writeWhole } from "../infra/stack/files";
import { readHistory } from "../results/history";
import { readRecord, reportFile, reportKey, reportUrl, summaryOf } from "../results/records";
import { renderPage, type ReportData } from "./page";

/** How long a store may take that is up but does not get on. */
const storeMs = 10_000;

/**
 * Renders the report of what is on record, also of failures, and keeps it. For `npm start`, because
 * the deployment itself leaves the report out when a run has failed. A store that does not answer is
 * no reason to have no report: its copy is made by the next deployment that works.
 *
 * @param runs the names of the runs that the settings ask for, in order
 * @param bucket the name of the bucket for outputs
 * @returns the `file:` URL of the stack folder's copy
 */
export async function renderReport(
  stack: string,
  runs: readonly string[],
  bucket: string = bucketNamesOf(stack).output,
): Promise<string> {
  const kept = keepInStore(stack, bucket, renderHere(stack, runs)).catch(() => undefined);
  await Promise.race([kept, sleep(storeMs, undefined, { ref: false })]);
  return reportUrl(stack);
}

/** Renders the report into the stack folder. @returns the page */
export function renderHere(stack: string, runs: readonly string[]): string {
  const page = renderPage(loadReport(stack, runs));
  writeWhole(reportFile(stack), page);
  return page;
}

/** Puts the report into the store. */
export async function keepInStore(stack: string, bucket: string, page: string): Promise<void> {
  const type = { "Content-Type": "text/html; charset=utf-8" };
  await storeClient(stack).putObject(bucket, reportKey, page, Buffer.byteLength(page), type);
}

/** Removes the stack folder's copy; the store's goes with its bucket. */
export function removeReport(stack: string): void {
  fs.rmSync(path.dirname(reportFile(stack)), { recursive: true, force: true });
}

/**
 * What is on record in the stack folder.
 *
 * @param runs the names of the runs that the settings ask for, in order
 */
export function loadReport(stack: string, runs: readonly string[]): ReportData {
  const inputs = new Map(
    readHistory(stack).attempts.map((attempt) => [attempt.attempt, attempt.inputs]),
  );
  return {
    stack,
    runs: runs.map((run) => {
      const skipped = summaryOf(stack, run)?.status === "skipped";
      const record = skipped ? undefined : readRecord(stack, run);
      const attempt = record && ("result" in record ? record.result : record.summary).attempt;
      return { run, record, inputs: attempt === undefined ? undefined : inputs.get(attempt) };
    }),
  };
}
