import { readRecord, summaryOf } from "../results/records";
import { readHistory } from "../results/history";
import type { ReportData } from "./page";

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
