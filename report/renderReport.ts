import { setTimeout as sleep } from "node:timers/promises";
import { bucketNamesOf } from "../infra/stores/access";
import { reportUrl } from "../results/records";
import { keepHere, keepInStore } from "./keep";
import { loadReport } from "./load";
import { renderPage } from "./page";

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
  const page = renderPage(loadReport(stack, runs));
  keepHere(stack, page);
  const kept = keepInStore(stack, bucket, page).catch(() => undefined);
  await Promise.race([kept, sleep(storeMs, undefined, { ref: false })]);
  return reportUrl(stack);
}
