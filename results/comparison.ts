import { canonicalJson } from "../infra/stack/files";
import { UserError } from "../infra/contracts/errors";
import { referenceOf } from "./catalog";
import type { Attempt } from "./history";
import { isVerified, type Named, type Outcome, type Verified } from "./outcome";
import { mannWhitney, median, ratioOf, type Ratio } from "./statistics";

/**
 * Inputs that may differ between two runs whose times are compared: each engine has its own code
 * and resources, and these say where, how often and how strictly, but not what is done.
 */
const mayDiffer = new Set(
  "engineCode resources tunables decoder store warmup repeats maxRejected oracleImages".split(" "),
);

/**
 * Why two verified runs of one workload are not to be compared by their times; empty if they are.
 * A failed deployment can leave results of different settings side by side.
 */
export function hindrances(ours: Verified, theirs: Verified): string[] {
  const [a, b] = [ours.inputs ?? {}, theirs.inputs ?? {}];
  const names = Object.keys(a).filter((name) => name in b && !mayDiffer.has(name));
  const inputs = names
    .filter((name) => a[name] !== b[name])
    .map((name) => (isHash(a[name]) ? `another ${name}` : `${name} ${a[name]}, not ${b[name]}`));
  const host = canonicalJson(ours.host) === canonicalJson(theirs.host) ? [] : ["another host"];
  const basis = ours.basis === theirs.basis ? [] : ["a first sample against hot ones"];
  return [...inputs, ...host, ...basis];
}

/** Inputs that stand for code or data are hashes, which say nothing to people. */
function isHash(value: string): boolean {
  return /^[0-9a-f]{16,}$/.test(value);
}

/** The ratio of the times of two runs, or why there is none. */
export type Against =
  { readonly ratio: Ratio } | { readonly ratio?: undefined; readonly why: string };

export function against(ours: Verified, theirs: Verified): Against {
  const why = hindrances(ours, theirs);
  if (why.length > 0) return { why: why.join("; ") };
  if (Math.min(...ours.measured, ...theirs.measured) <= 0) return { why: "a time of 0 s" };
  return { ratio: ratioOf(ours.measured, theirs.measured) };
}

/** Whether a run is of the contender that the others of its workload are compared with. */
export function isReference({ engine, workload }: Named): boolean {
  return referenceOf(workload)?.name === engine;
}

/**
 * The ratio of each verified run of a workload to that of its reference, by engine; undefined
 * without one.
 */
export function ratiosOf(outcomes: readonly Outcome[]): ReadonlyMap<string, Against> | undefined {
  const reference = outcomes.find(isReference);
  if (!reference || !isVerified(reference)) return undefined;
  return new Map(outcomes.filter(isVerified).map((run) => [run.engine, against(run, reference)]));
}

/** What `npm run compare` puts side by side: one attempt, or the last one of each run. */
interface Selection {
  readonly kind: "attempt" | "date" | "commit";
  /** By the run's name. */
  readonly byRun: ReadonlyMap<string, Attempt>;
}

/** How many candidates an error names. */
const shown = 8;

/**
 * The attempts that `text` means: an attempt's id or the unique beginning of one, a date
 * (`2026-11-22`, `2026-11-22T21:53`; UTC) or a commit. Of a date or a commit, the last attempt of
 * each run counts, also where it failed.
 *
 * @throws UserError when it means nothing, or could mean several things; with the candidates
 */
export function select(attempts: readonly Attempt[], text: string): Selection {
  const exact = attempts.find(({ attempt }) => attempt === text);
  if (exact) return { kind: "attempt", byRun: new Map([[exact.run, exact]]) };
  const found = [byId, byDate, byCommit].flatMap((by) => by(attempts, text));
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    throw new UserError(
      `${JSON.stringify(text)} is the beginning of ${found.map(({ kind }) => `a ${kind}`).join(" and of ")}`,
      "only one of them can be compared",
      `give more of it: ${found.flatMap(({ byRun }) => [...byRun.values()].map(told)).join("; ")}`,
    );
  }
  throw new UserError(
    `${JSON.stringify(text)} is no attempt, date or commit of this stack's history`,
    "there is nothing to compare",
    attempts.length === 0
      ? "run npm start first: the history is empty"
      : `npm run results lists all; the last are ${attempts.slice(-shown).map(told).join("; ")}`,
  );
}

function byId(attempts: readonly Attempt[], text: string): Selection[] {
  // A bare day is the beginning of many ids, and meant as a date.
  if (!/^\d{8}T\d/.test(text)) return [];
  const found = attempts.filter(({ attempt }) => attempt.startsWith(text));
  if (found.length > 1) throw several(text, "attempts", found.map(told));
  return last("attempt", found);
}

function byDate(attempts: readonly Attempt[], text: string): Selection[] {
  const compact = /^(\d{4})(\d\d)(\d\d)$/.exec(text);
  const date = compact ? compact.slice(1).join("-") : text.replace(" ", "T").replace(/Z$/, "");
  if (!/^\d{4}-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?$/.test(date)) return [];
  return last(
    "date",
    attempts.filter(({ at }) => utc(at).startsWith(date)),
  );
}

function byCommit(attempts: readonly Attempt[], text: string): Selection[] {
  if (!/^[0-9a-f]{4,40}$/.test(text)) return [];
  const found = attempts.filter(({ commit }) => commit?.startsWith(text));
  const commits = [...new Set(found.map(({ commit }) => commit!))];
  if (commits.length > 1) throw several(text, "commits", commits);
  return last("commit", found);
}

function last(kind: Selection["kind"], found: readonly Attempt[]): Selection[] {
  if (found.length === 0) return [];
  return [{ kind, byRun: new Map(found.map((attempt) => [attempt.run, attempt])) }];
}

function several(text: string, what: string, candidates: readonly string[]): UserError {
  const more = candidates.length > shown ? `; and ${candidates.length - shown} more` : "";
  return new UserError(
    `${JSON.stringify(text)} is the beginning of ${candidates.length} ${what}`,
    "only one of them can be compared",
    `give more of it: ${candidates.slice(0, shown).join("; ")}${more}`,
  );
}

function told({ attempt, run, commit }: Attempt): string {
  return `${attempt} (${run}${commit ? `, commit ${commit.slice(0, 12)}` : ""})`;
}

function utc(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : time.toISOString();
}

export type Verdict = "faster" | "slower" | "within noise" | "too few samples";

/** Medians that are nearer than this are within noise whatever the samples say. */
const minDifference = 0.05;
const significance = 0.05;

/** The rule of {@link judge} in words. */
export const rule = [
  "faster or slower: the medians differ by at least 5 %, and the samples are apart: by an exact",
  "Mann-Whitney test (p < 0.05) where there are enough of them (4 and 4, 3 and 5), else because their",
  "ranges do not overlap. Samples of one attempt vary less than attempts do: repeat before you",
  "conclude.",
];

/**
 * Whether `b` is faster than `a`.
 *
 * @param a seconds, at least one
 * @param b seconds, at least one
 */
export function judge(a: readonly number[], b: readonly number[]): Verdict {
  const [before, after] = [median(a), median(b)];
  if (Math.abs(after - before) < minDifference * Math.min(before, after)) return "within noise";
  if (Math.min(a.length, b.length) < 2) return "too few samples";
  const apart = canBeSignificant(a.length, b.length)
    ? mannWhitney(a, b) < significance
    : Math.max(...a) < Math.min(...b) || Math.max(...b) < Math.min(...a);
  if (!apart) return "within noise";
  return after < before ? "faster" : "slower";
}

/** Whether samples that are wholly apart would be significant: 2 / C(n + m, n) < 0.05. */
function canBeSignificant(n: number, m: number): boolean {
  let ways = 1;
  for (let at = 1; at <= n; at++) ways = (ways * (m + at)) / at;
  return 2 / ways < significance;
}

/** One line of a comparison. */
export interface Compared {
  /** The run's name; `a -> b` where attempts of two engines are compared. */
  readonly run: string;
  readonly a: Attempt | undefined;
  readonly b: Attempt | undefined;
  /** Undefined where one of them has no samples. */
  readonly verdict?: Verdict;
  /** Median of b by median of a. */
  readonly ratio?: number;
  /** What makes the two hard to compare: another host, other code, other inputs. */
  readonly marks: readonly string[];
}

/** Puts two selections side by side, a line a run, in the order of their names. */
export function compare(a: Selection, b: Selection): Compared[] {
  const [[first], [second]] = [[...a.byRun.values()], [...b.byRun.values()]];
  if (a.kind === "attempt" && b.kind === "attempt" && first.run !== second.run) {
    return [line(`${first.run} -> ${second.run}`, first, second)];
  }
  const single = [a, b].find(({ kind }) => kind === "attempt");
  const runs = new Set((single ? [single] : [a, b]).flatMap(({ byRun }) => [...byRun.keys()]));
  return [...runs].sort().map((run) => line(run, a.byRun.get(run), b.byRun.get(run)));
}

function line(run: string, a: Attempt | undefined, b: Attempt | undefined): Compared {
  if (!a || !b || !isVerified(a) || !isVerified(b)) return { run, a, b, marks: [] };
  const verdict = judge(a.measured, b.measured);
  return { run, a, b, verdict, ratio: b.median / a.median, marks: differences(a, b) };
}

/** Hashes of code say in the inputs what a commit says too, and say it for one engine alone. */
const codeInputs = ["engineCode", "workloadCode", "coreCode"];

function differences(a: Verified, b: Verified): string[] {
  const marks: string[] = [];
  if (a.workload !== b.workload) marks.push("another workload");
  if (canonicalJson(a.host) !== canonicalJson(b.host)) marks.push("another host");
  if (a.device !== b.device) marks.push(`device ${a.device} -> ${b.device}`);
  const [before, after] = [a.inputs ?? {}, b.inputs ?? {}];
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name] && name !== "device")
    .sort();
  if (a.inputs && b.inputs) {
    const other = changed.filter((name) => !codeInputs.includes(name));
    marks.push(...other.map((name) => `${name} ${before[name] ?? "-"} -> ${after[name] ?? "-"}`));
  }
  const code = changed.filter((name) => codeInputs.includes(name));
  if (code.length > 0) marks.push(`other code (${code.join(", ")})`);
  else if (a.commit !== b.commit || a.dirty || b.dirty) marks.push("another commit, same run code");
  if (a.basis !== b.basis) marks.push("first samples against hot ones");
  const disturbed = [...a.counted, ...b.counted].some((sample) => sample.disturbed);
  if (disturbed) marks.push("disturbed by others");
  return marks;
}
