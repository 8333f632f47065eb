import { canonicalJson } from "../infra/contracts/canonical";
import { isVerified, type Outcome, type Verified } from "./outcome";
import { ratioOf, type Ratio } from "./statistics";

/**
 * Inputs that may differ between two runs whose times are compared: each engine has its own code
 * and resources, and these say where, how often and how strictly, but not what is done.
 */
const mayDiffer = new Set([
  ...["engineCode", "resources", "store", "warmup", "repeats"],
  ...["maxRejected", "oracleImages"],
]);

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

/** The ratio of each verified run to the baseline's, by engine; undefined without a baseline. */
export function ratiosOf(outcomes: readonly Outcome[]): ReadonlyMap<string, Against> | undefined {
  const baseline = outcomes.find(({ engine }) => engine === "baseline");
  if (!baseline || !isVerified(baseline)) return undefined;
  return new Map(outcomes.filter(isVerified).map((run) => [run.engine, against(run, baseline)]));
}
