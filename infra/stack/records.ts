import * as fs from "node:fs";
import { namesIn } from "../host/folders";
import { readJson, stackFiles, writeJson } from "./files";

/**
 * What a step recorded about a service, a tool or data: the generation that the program chose for
 * it, and what the step printed.
 */
export interface StepRecord {
  /** "1", then "2, after it stopped" and so on: it shows in previews. */
  readonly generation: string;
  readonly result: Readonly<Record<string, unknown>>;
}

/** The record of `name`, or undefined without one (or only a broken one). */
export function readStepRecord(stack: string, name: string): StepRecord | undefined {
  const { generation, result } =
    readJson<Partial<StepRecord>>(stackFiles(stack).record(name)) ?? {};
  const whole = typeof generation === "string" && typeof result === "object" && result !== null;
  return whole ? { generation, result } : undefined;
}

export function writeStepRecord(stack: string, name: string, record: StepRecord): void {
  writeJson(stackFiles(stack).record(name), record);
}

/** Notes that a recorded thing was found lost: its result says so until it is made again. */
export function recordLoss(stack: string, name: string): void {
  const record = readStepRecord(stack, name);
  if (record) writeStepRecord(stack, name, { ...record, result: { ...record.result, lost: true } });
}

export function removeStepRecord(stack: string, name: string): void {
  fs.rmSync(stackFiles(stack).record(name), { force: true });
}

/** Names of all that has a record, sorted. */
export function recordedNames(stack: string): string[] {
  return namesIn(stackFiles(stack).records)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}

/**
 * Makes drift visible: a Command's inputs are never read back, so the program itself looks whether
 * the recorded thing still exists. If it does, its generation stays and nothing changes; if not, the
 * next one is a changed input, and the step's `update` makes the thing again.
 *
 * @param why what happened to a thing that does not exist any more, for previews
 */
export function generation(
  stack: string,
  name: string,
  alive: (result: Readonly<Record<string, unknown>>) => boolean,
  why = "was removed",
): string {
  const record = readStepRecord(stack, name);
  if (!record) return "1";
  return alive(record.result) ? record.generation : nextGeneration(record.generation, why);
}

/** The generation after another one: its number, and why there is one more. */
export function nextGeneration(last: string | number | undefined, why: string): string {
  return `${generationNumber(last) + 1}, after it ${why}`;
}

/** The number of a generation; 0 where there was none. */
export function generationNumber(generation: string | number | undefined): number {
  return parseInt(String(generation ?? 0), 10) || 0;
}

/** What of a stack exists, as seen just before the program declares it. */
export interface Inspected {
  /** The generation to declare a thing with: the recorded one if it is alive, else the next. */
  readonly generation: (name: string) => string;
  /** Whether a thing was recorded and is alive. */
  readonly alive: (name: string) => boolean;
}

/**
 * @param alive names of all that was found alive
 * @param why what happened to a thing that was not found
 */
export function inspected(
  stack: string,
  alive: readonly string[],
  why = (_name: string) => "was removed",
): Inspected {
  return {
    generation: (name) => generation(stack, name, () => alive.includes(name), why(name)),
    alive: (name) => alive.includes(name) && readStepRecord(stack, name) !== undefined,
  };
}
