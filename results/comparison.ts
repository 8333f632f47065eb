import { UserError } from "../infra/contracts/errors";
import { referenceOf } from "./catalog";
import { changedInputs, codeInputs, hindrances, missingFor, type Missing } from "./comparable";
import type { Attempt } from "./history";
import { isVerified, type Named, type Outcome, type Verified } from "./outcome";
import { bootstrapFrom, ratioOf, type Forks, type Interval } from "./statistics";

/** The ratio of the times of two runs, or why there is none. */
export type Against =
  { readonly ratio: Interval } | { readonly ratio?: undefined; readonly why: string };

export function against(ours: Verified, theirs: Verified): Against {
  const why = hindrances(ours, theirs);
  if (why.length > 0) return { why: why.join("; ") };
  if (Math.min(...ours.measured.flat(), ...theirs.measured.flat()) <= 0) {
    return { why: "a time of 0 s" };
  }
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
    const kinds = found.map(({ kind }) => `a ${kind}`).join(" and of ");
    const candidates = found.flatMap(({ byRun }) => [...byRun.values()].map(described));
    throw several(text, kinds, candidates);
  }
  throw new UserError(
    `${JSON.stringify(text)} is no attempt, date or commit of this stack's history`,
    "there is nothing to compare",
    attempts.length === 0
      ? "run npm start first: the history is empty"
      : `npm run results lists all; the last are ${attempts.slice(-shown).map(described).join("; ")}`,
  );
}

function byId(attempts: readonly Attempt[], text: string): Selection[] {
  // A bare day is the beginning of many ids, and meant as a date.
  if (!/^\d{8}T\d/.test(text)) return [];
  const found = attempts.filter(({ attempt }) => attempt.startsWith(text));
  if (found.length > 1) throw several(text, `${found.length} attempts`, found.map(described));
  return last("attempt", found);
}

function byDate(attempts: readonly Attempt[], text: string): Selection[] {
  const compact = /^(\d{4})(\d\d)(\d\d)$/.exec(text);
  const date = compact ? compact.slice(1).join("-") : text.replace(" ", "T").replace(/Z$/, "");
  if (!/^\d{4}-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?$/.test(date)) return [];
  const found = attempts.filter(({ at }) => utc(at).startsWith(date));
  return last("date", found);
}

function byCommit(attempts: readonly Attempt[], text: string): Selection[] {
  if (!/^[0-9a-f]{4,40}$/.test(text)) return [];
  const found = attempts.filter(({ commit }) => commit?.startsWith(text));
  const commits = [...new Set(found.map(({ commit }) => commit!))];
  if (commits.length > 1) throw several(text, `${commits.length} commits`, commits);
  return last("commit", found);
}

function last(kind: Selection["kind"], found: readonly Attempt[]): Selection[] {
  if (found.length === 0) return [];
  return [{ kind, byRun: new Map(found.map((attempt) => [attempt.run, attempt])) }];
}

function several(text: string, what: string, candidates: readonly string[]): UserError {
  const more = candidates.length > shown ? `; and ${candidates.length - shown} more` : "";
  return new UserError(
    `${JSON.stringify(text)} is the beginning of ${what}`,
    "only one of them can be compared",
    `give more of it: ${candidates.slice(0, shown).join("; ")}${more}`,
  );
}

function described({ attempt, run, commit }: Attempt): string {
  return `${attempt} (${run}${commit ? `, commit ${commit.slice(0, 12)}` : ""})`;
}

function utc(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : time.toISOString();
}

export type Verdict = "faster" | "slower" | "within noise";

/**
 * Medians that are nearer than this are within noise whatever the samples say: of one driver process
 * they do not say how far processes differ, which alone is 5 % in one of ten pairs on a quiet machine.
 */
const minDifference = (forks: number) => (forks < 2 ? 0.1 : 0.05);

/** The rule of {@link judge} in words. */
export const rule = [
  "faster or slower: the medians differ by at least 5 % (10 % with one driver process), and the",
  "interval of their ratio (95 %, resampled over driver processes first, samples second) does not",
  "hold 1.",
];

/**
 * Whether `b` is faster than `a`.
 *
 * @param a seconds above zero
 * @param b seconds above zero
 */
export function judge(a: Forks, b: Forks): { verdict: Verdict; ratio: Interval } {
  const ratio = ratioOf(b, a);
  const { value, low, high, forks } = ratio;
  const isNear = Math.abs(value - 1) < minDifference(forks) * Math.min(value, 1);
  const isApart = low > 1 || high < 1;
  const verdict = isNear || !isApart ? "within noise" : value < 1 ? "faster" : "slower";
  return { verdict, ratio };
}

/** One line of a comparison: a verdict, or what is missing for one. */
export interface Compared {
  /** The run's name; `a -> b` where attempts of two engines are compared. */
  readonly run: string;
  readonly a: Attempt | undefined;
  readonly b: Attempt | undefined;
  readonly verdict?: Verdict;
  /** Median of b by median of a. */
  readonly ratio?: Interval;
  readonly missing?: Missing;
  /** What to know about a verdict: other code, one driver process, disturbed samples. */
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
  const missing = missingFor(a, b);
  if (missing || !a || !b || !isVerified(a) || !isVerified(b)) {
    return { run, a, b, missing, marks: [] };
  }
  return { run, a, b, ...judge(a.measured, b.measured), marks: marksOf(a, b) };
}

function marksOf(a: Verified, b: Verified): string[] {
  const [before, after] = [a.inputs ?? {}, b.inputs ?? {}];
  const code = codeInputs.filter((name) => before[name] !== after[name]);
  const otherCommit = a.commit !== b.commit || a.dirty || b.dirty;
  return [
    ...changedInputs(a, b).map((name) => `${name} ${before[name] ?? "-"} -> ${after[name] ?? "-"}`),
    code.length > 0
      ? `other code (${code.join(", ")})`
      : otherCommit && "another commit, same run code",
    Math.min(a.forks, b.forks) < 2 &&
      "one driver process: nothing is known of the spread between processes (forks=3)",
    Math.min(a.counted.length, b.counted.length) < bootstrapFrom &&
      `fewer than ${bootstrapFrom} samples: the interval spans all of them`,
    [...a.counted, ...b.counted].some((sample) => sample.disturbed) && "disturbed by others",
  ].filter((mark) => mark !== false);
}
