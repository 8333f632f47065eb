import { plural } from "../../report/format";
import { expectedSeconds } from "../../results/history";
import type { RunProgress } from "../../results/records";
import { isFailure, type RunFailure, type RunRecord, type RunSkipped } from "../../results/result";
import type { Changes, PropertyDiff, StepEvent, StepOp } from "../runners/runner";

/** What was done, by operation; what is not here is the runner's own business. */
const done: Partial<Record<StepOp, string>> = {
  create: "created",
  update: "updated",
  replace: "replaced",
  delete: "deleted",
};

type Ended = Extract<StepEvent, { readonly kind: "start" | "done" | "failed" | "skipped" }>;

/** Whether an event is about a resource that does something, and not a component or a provider. */
export function isTold(event: Ended): boolean {
  return event.op in done && !/^(pulumi:|engine-comparison:)/.test(event.type);
}

/**
 * The lines that tell how a step ended; none for one that is not printed.
 *
 * @param record of the run, where the step is one
 */
export function stepLines(event: StepEvent, record?: RunRecord): string[] {
  switch (event.kind) {
    case "start":
    case "summary":
      return [];
    case "log":
      return logLines(event.severity, event.message);
    case "done":
      return isTold(event) ? [line(done[event.op]!, event.name, ending(event, record))] : [];
    case "failed":
      return [line("FAILED", event.name, seconds(event.seconds)), ...reasonLines(event.error)];
    case "skipped":
      return isTold(event) ? [line("skipped", event.name, event.error)] : [];
  }
}

function line(what: string, name: string, more = ""): string {
  return `${what.padEnd(8)} ${name}${more && `  ${more}`}`;
}

/** A run waits for its turn, so its step's time says nothing: its own measure is printed instead. */
function ending({ op, seconds: took }: Ended, record?: RunRecord): string {
  const ended = op !== "delete" && record && !isFailure(record.summary);
  return ended ? runWords(record.summary) : seconds(took);
}

/** A message of the program or the runner, its first line marked with how bad it is. */
export function logLines(severity: string, message: string): string[] {
  if (severity === "debug") return [];
  const [first, ...more] = message.trimEnd().split("\n");
  return [severity === "info" ? first : `${severity}: ${first}`, ...more];
}

/** Of a failed command's message, what its script said; the command line only where it said nothing. */
export function reasonLines(error = ""): string[] {
  const [first, ...said] = error.split("\n").filter((text) => text.trim() !== "");
  const printed =
    /^(exit status|signal: )/.test(first ?? "") && said.length > 0 ? said : [first, ...said];
  return printed.filter((text) => text !== undefined).map((text) => `         ${text}`);
}

/** A step's error, `<name>: <why>`, without the command line where its script said more. */
export function withoutCommand(error: string): string {
  return error.replace(/^(\S+): (?:exit status|signal: )[^\n]*\n(?=\s*\S)/, "$1: ");
}

/** `3.2 s`, `1 m 5 s`; empty for undefined. @param digits behind the point, under a minute */
export function seconds(value: number | undefined, digits = 1): string {
  if (value === undefined) return "";
  const whole = Math.round(value);
  return whole < 60 ? `${value.toFixed(digits)} s` : `${Math.floor(whole / 60)} m ${whole % 60} s`;
}

/** What the last attempt of a run came to, on one line. */
export function runWords(summary: RunRecord["summary"] | RunSkipped | undefined): string {
  if (!summary) return "never ran";
  if (summary.status === "skipped") return "not run since its inputs changed";
  if (summary.status !== "verified") return `${summary.status}: ${summary.reason.split("\n")[0]}`;
  const rejected = summary.rejected > 0 ? `, ${summary.rejected} rejected` : "";
  const rows = `${summary.rows} ${summary.rows === 1 ? "row" : "rows"}`;
  const { oneShotSeconds, medianSeconds, state, device } = summary;
  const warming = state === "still warming" ? " (still warming)" : "";
  const times = `one-shot ${oneShotSeconds.toFixed(2)} s, median ${medianSeconds.toFixed(2)} s${warming}`;
  return `verified, ${times}, ${rows}${rejected}, on ${device}`;
}

/** Where to read more about a failure, and what is published in spite of it. */
export function failureLines(summary: RunFailure | RunSkipped): string[] {
  const { published } = summary;
  return [
    ...("log" in summary && summary.log !== null ? [`log: ${summary.log}`] : []),
    published === null ? "nothing is published" : `still published: run ${published}`,
  ];
}

/** What a run is doing and for how long since its turn came: `sample 2/3, 41 s`. @param now milliseconds */
export function phaseWords({ phase, began }: RunProgress, now: number): string {
  if (began === undefined) return phase;
  return `${phase}, ${seconds(Math.max(0, now - Date.parse(began)) / 1000, 0)}`;
}

/** How many runs there are, and how long they will take: `12 runs, about 9 minutes if all are done`. */
export function expectation(stack: string, runs: readonly string[]): string {
  const minutes = Math.max(1, Math.round(expectedSeconds(stack, runs) / 60));
  return `${plural(runs.length, "run")}, about ${plural(minutes, "minute")} if all are done`;
}

/** What a deployment did: `3 created, 1 replaced, 40 unchanged`. */
export function changesLine(changes: Changes): string {
  return counted(changes, (op) => done[op]) || "nothing was done";
}

/** What a deployment would do: `3 to create, 1 to replace, 40 unchanged`. */
export function planLine(changes: Changes): string {
  return counted(changes, (op) => `to ${op}`) || "nothing to do";
}

function counted(changes: Changes, word: (op: StepOp) => string | undefined): string {
  const counts = (Object.keys(done) as StepOp[]).map((op) => [changes[op], word(op)] as const);
  const all = [...counts, [changes.same, "unchanged"] as const].filter(([count]) => count);
  return all.map((each) => each.join(" ")).join(", ");
}

const longest = 200;

/** A changed input, e.g. `~ triggers[0].fareAbove: "30" => "40"`. */
export function diffLine({ path, kind, old, new: now }: PropertyDiff): string {
  const text = (value: unknown) => {
    const json = JSON.stringify(value) ?? "";
    return json.length > longest ? `${json.slice(0, longest)}...` : json;
  };
  if (kind === "update") return `~ ${path}: ${text(old)} => ${text(now)}`;
  return kind === "add" ? `+ ${path}: ${text(now)}` : `- ${path}: ${text(old)}`;
}

/**
 * Lines of text in columns.
 *
 * @param rows the first one has the columns' names
 * @param right the names of columns that are set to the right
 */
export function textTable(rows: readonly (readonly string[])[], right: readonly string[] = []) {
  const [head = []] = rows;
  const widths = head.map((_name, at) => Math.max(...rows.map((row) => row[at].length)));
  const padded = (cell: string, at: number) =>
    right.includes(head[at]) ? cell.padStart(widths[at]) : cell.padEnd(widths[at]);
  return rows.map((row) => row.map(padded).join("  ").trimEnd());
}
