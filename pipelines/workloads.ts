import * as path from "node:path";
import { inputKeys, type InputKey } from "../infra/settings/schema";
import type { BucketNames, BucketPurpose } from "../infra/contracts/platform";
import { bucketPurposes } from "../infra/settings/bucketNames";
import { declarations, packageFolder, type Declaration } from "./declaration";
import { seed } from "./seed";

const datasets = ["taxi", "photos"] as const;
export type DatasetName = (typeof datasets)[number];

/** The step that makes a dataset; its record says what was made, with the manifest's hash. */
export const makingStep = (dataset: DatasetName): string => `make-${dataset}`;

/** The step that computes a workload's right answer. */
export const oracleName = (workload: string): string => `oracle-${workload}`;

/** What the program must know of a workload; what it computes is in its Python file. */
export interface Workload {
  /** `taxi-report` of `taxi_report.py` */
  readonly name: string;
  readonly dataset: DatasetName;
  /** Where its output goes: `<bucket>/<prefix>/engine=<engine>/run=<key>/`. */
  readonly output: { readonly bucket: BucketPurpose; readonly prefix: string };
  /** What decides the right answer: settings, and `model` for the model's file. */
  readonly question: readonly (InputKey | "model")[];
  /** The settings that only decide how a run gets there. */
  readonly manner: readonly InputKey[];
}

export function usesModel({ question }: Workload): boolean {
  return question.includes("model");
}

let found: readonly Workload[] | undefined;

/** Every workload, the seed's first: the files of `workloads/` in the Python package. */
export function workloads(): readonly Workload[] {
  return (found ??= findWorkloads(path.join(packageFolder, "workloads")));
}

/** @throws RangeError for a name that no workload has */
export function workloadOf(name: string): Workload {
  const workload = workloads().find((one) => one.name === name);
  if (!workload) throw new RangeError(`there is no workload ${name}`);
  return workload;
}

/** Where what an engine publishes of a workload lies; the prefix ends with a slash. */
export function outputPlace(
  engine: string,
  workload: string,
  buckets: BucketNames,
): { readonly bucket: string; readonly prefix: string } {
  const { bucket, prefix } = workloadOf(workload).output;
  return { bucket: buckets[bucket], prefix: `${prefix}/engine=${engine}/` };
}

/**
 * The workloads of a folder: its files with a `WORKLOAD`; the others are what these share.
 *
 * @throws UserError for a file that does not say what it is
 */
export function findWorkloads(folder: string): Workload[] {
  return declarations(
    folder,
    seed.map(([, workload]) => workload),
  )
    .filter((file) => file.has(/^WORKLOAD = /))
    .map(read);
}

function read(file: Declaration): Workload {
  file.checkName();
  return {
    name: file.name,
    dataset: file.oneOf("dataset", datasets),
    output: { bucket: file.oneOf("purpose", bucketPurposes), prefix: file.string("prefix") },
    question: file.someOf("question", ["model", ...inputKeys]),
    manner: file.someOf("manner", inputKeys),
  };
}
