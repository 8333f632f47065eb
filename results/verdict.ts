import { canonicalJson } from "../infra/contracts/canonical";
import { median } from "./result";
import type { Attempt } from "./history";
import { isVerified, type Verified } from "./outcome";
import type { Selection } from "./select";
import { mannWhitney } from "./statistics";

export type Verdict = "faster" | "slower" | "within noise" | "too few samples";

/** Medians that are nearer than this are within noise whatever the samples say. */
const least = 0.05;
const significance = 0.05;

/** The rule of {@link judge}, for people. */
export const rule = [
  "faster or slower: the medians differ by at least 5 %, and the samples are apart: by an exact",
  "Mann-Whitney test (p < 0.05) where there are enough of them (4 and 4, 3 and 5), else as their",
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
  if (Math.abs(after - before) < least * Math.min(before, after)) return "within noise";
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
