import { canonicalJson } from "../infra/stack/files";
import { settingKeys } from "../infra/settings/schema";
import { datasetOf, workloadOf } from "./catalog";
import type { Attempt } from "./history";
import { isVerified, type Verified } from "./outcome";

/**
 * Inputs that may differ between two runs whose times are compared: each engine has its own code
 * and resources, and these say how often and how strictly, but not what is done.
 */
const mayDiffer = new Set(
  (
    "engineCode resources tunables decoder measureSeconds maxSamples forks profile repeats " +
    "maxRejected oracleImages"
  ).split(" "),
);

/**
 * Why two verified runs of one workload are not to be compared by their times; empty if they are.
 * A failed deployment can leave results of different settings side by side.
 */
export function hindrances(ours: Verified, theirs: Verified): string[] {
  const [a, b] = [ours.inputs ?? {}, theirs.inputs ?? {}];
  const inputs = Object.keys(a)
    .filter((name) => name in b && differs(name, a[name], b[name]))
    .map((name) => (isHash(a[name]) ? `another ${name}` : `${name} ${a[name]}, not ${b[name]}`));
  const host = canonicalJson(ours.host) === canonicalJson(theirs.host) ? [] : ["another host"];
  return [...inputs, ...host, ...basesOf(ours, theirs)];
}

/** Whether an input makes times incomparable by its two values. */
function differs(name: string, a: string | undefined, b: string | undefined): boolean {
  if (mayDiffer.has(name)) return false;
  // A store was made anew by the last word of what it is; the others say which one it is.
  const of = (value?: string) => (name === "store" ? value?.replace(/ ?\S+$/, "") : value);
  return of(a) !== of(b);
}

/** Which samples a run's median is of, where the other run's is of others. */
function basesOf(a: Verified, b: Verified): string[] {
  const [one, other] = [a, b].map(({ basis, state }) => {
    if (basis === "first") return "first samples";
    return state === "fixed"
      ? "a fixed number of hot samples"
      : "hot samples until they are steady";
  });
  return one === other ? [] : [`${one} against ${other}`];
}

/** Inputs that stand for code or data are hashes, which say nothing to people. */
function isHash(value: string): boolean {
  return /^[0-9a-f]{16,}$/.test(value);
}

/** Why two attempts cannot be compared, and the command that supplies what is missing. */
export interface Missing {
  readonly what: string;
  readonly command: string;
}

/** Hashes of code say in the inputs what a commit says too, and say it for one engine alone. */
export const codeInputs = ["engineCode", "workloadCode", "coreCode"];

/** The first condition for a comparison that does not hold; undefined where all do. */
export function missingFor(a: Attempt | undefined, b: Attempt | undefined): Missing | undefined {
  if (!a || !b) return { what: "one side has no attempt", command: again((a ?? b)!.run) };
  if (!isVerified(a) || !isVerified(b)) {
    const failed = isVerified(a) ? b : a;
    const what = `attempt ${failed.attempt} is not verified (${failed.status})`;
    return { what, command: again(failed.run) };
  }
  if (a.workload !== b.workload) {
    const what = `${a.workload} is another workload than ${b.workload}`;
    return { what, command: `npm run results -- ${a.workload}` };
  }
  if (canonicalJson(a.host) !== canonicalJson(b.host)) {
    return { what: "they are of two hosts; measure B on A's", command: again(b.run) };
  }
  if (a.device !== b.device) {
    const gpu = a.device === "cuda" ? "required" : "off";
    return { what: `device ${a.device} -> ${b.device}`, command: start(`gpu=${gpu}`) };
  }
  const [bases] = basesOf(a, b);
  if (bases !== undefined) return { what: bases, command: start("repeats= --config warmup=") };
  const name = changedInputs(a, b).find((one) => differs(one, a.inputs![one], b.inputs![one]));
  if (name !== undefined) return missingInput(name, a, b);
  const few = [a, b].find(({ counted }) => counted.length < minSamples);
  if (few) {
    const what = `attempt ${few.attempt} has fewer than ${minSamples} hot samples`;
    return { what, command: start("repeats= --config warmup=") };
  }
  const warming = [a, b].find(({ state }) => state === "still warming");
  if (warming) {
    const what = `attempt ${warming.attempt} was still warming`;
    return { what, command: start("measureSeconds=60") };
  }
  return undefined;
}

/** Hot samples of each side without which there is no verdict. */
const minSamples = 3;

const start = (setting: string) => `npm start -- --config ${setting}`;
const again = (run: string) => `npm run rerun -- ${run}`;

/** That an input is another one, and the settings by which B gets that of A. */
function missingInput(name: string, a: Verified, b: Verified): Missing {
  const [before = "-", after = "-"] = [a.inputs?.[name], b.inputs?.[name]];
  const setting =
    settingOf(name, a) ?? (settingKeys.some((key) => key === name) && `${name}=${before}`);
  const what =
    name === "data" ? `data of ${a.rowsIn} -> ${b.rowsIn} rows` : `${name} ${before} -> ${after}`;
  return { what, command: setting && before !== "-" ? start(setting) : again(b.run) };
}

/** The settings from which an input of a run follows that is not the value of one. */
function settingOf(name: string, { inputs = {}, workload, rowsIn }: Verified): string | undefined {
  if (name === "store") return `objectStore=${/^(s3|aws) /.exec(inputs.store)?.[1] ?? "minio"}`;
  if (name === "data") {
    const { sample = {} } = datasetOf(workloadOf(workload).dataset).settings;
    const size = Object.values(sample).find((origin) => "setting" in origin);
    return size && `${size.setting}=${rowsIn}`;
  }
  if (name !== "cores") return undefined;
  const [, executors, each] = /^(\d+) x (\d+) core/.exec(inputs.resources) ?? [];
  if (executors) return `sparkExecutors=${executors} --config sparkWorkerCores=${each}`;
  // Threads follow from Spark's cores.
  return `${/ cpus/.test(inputs.resources) ? "rayCpus" : "sparkWorkerCores"}=${inputs.cores}`;
}

/** The names of inputs that differ, but for code; of two engines, of those that both have. */
export function changedInputs(a: Verified, b: Verified): string[] {
  if (!a.inputs || !b.inputs) return [];
  const [before, after] = [a.inputs, b.inputs];
  const isOfBoth = (name: string) => name in before && name in after;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => a.engine === b.engine || isOfBoth(name))
    .filter((name) => before[name] !== after[name] && !codeInputs.includes(name))
    .sort();
}
