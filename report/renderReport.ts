import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { StepVerbs } from "../infra/stack/runStep";
import { bucketNamesOf } from "../infra/stores/access";
import { explained, storeClient } from "../infra/stores/client";
import { stackFiles, writeWhole } from "../infra/stack/files";
import type { Prices } from "../results/efficiency";
import { readHistory } from "../results/history";
import { readRecord, reportKey, reportUrl, summaryOf } from "../results/records";
import { renderPage, type ReportData } from "./page";

/** How long a store may take that is up but does not get on. */
const storeMs = 10_000;

/**
 * Renders the report of what is on record, also of failures, and keeps it. For `npm start`, because
 * the deployment itself leaves the report out when a run has failed. A store that does not answer is
 * no reason to have no report: its copy is made by the next deployment that works.
 *
 * @returns the `file:` URL of the stack folder's copy
 */
export async function renderReport(stack: string, runs: readonly string[], prices?: Prices) {
  const bucket = bucketNamesOf(stack).output;
  const kept = keepInStore(stack, bucket, renderHere(stack, runs, prices)).catch(() => undefined);
  await Promise.race([kept, sleep(storeMs, undefined, { ref: false })]);
  return reportUrl(stack);
}

export const reportStep = {
  async create({ stack, spec: { bucket, runs, prices } }) {
    const names = runs.map(({ run }) => run);
    const page = renderHere(stack, names, prices);
    await explained(() => keepInStore(stack, bucket, page));
    return { uri: `s3://${bucket}/${reportKey}`, runs: names.length };
  },

  /** Removes the stack folder's copy; the store's goes with its bucket. */
  async delete({ stack }) {
    fs.rmSync(path.dirname(stackFiles(stack).report), { recursive: true, force: true });
  },
} satisfies StepVerbs<{
  bucket: string;
  runs: readonly { readonly run: string }[];
  prices?: Prices;
}>;

/** Renders the report into the stack folder. @returns the page */
function renderHere(stack: string, runs: readonly string[], prices?: Prices): string {
  const page = renderPage({ ...loadReport(stack, runs), prices });
  writeWhole(stackFiles(stack).report, page);
  return page;
}

async function keepInStore(stack: string, bucket: string, page: string): Promise<void> {
  const type = { "Content-Type": "text/html; charset=utf-8" };
  await storeClient(stack).putObject(bucket, reportKey, page, Buffer.byteLength(page), type);
}

/** What is on record in the stack folder of these runs. */
export function loadReport(stack: string, runs: readonly string[]): ReportData {
  const { attempts } = readHistory(stack);
  const inputs = new Map(attempts.map(({ attempt, inputs }) => [attempt, inputs]));
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
