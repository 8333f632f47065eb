import * as fs from "node:fs";
import * as path from "node:path";
import { removeLast, stackFolder } from "../host/folders";

/**
 * What a step recorded about a thing that stands (a service, a tool, a dataset): the incarnation
 * that the program chose for it, and what the step printed.
 */
export interface Standing {
  readonly incarnation: number;
  readonly result: Readonly<Record<string, unknown>>;
}

function recordFile(stack: string, name: string): string {
  return path.join(stackFolder(stack), "standing", `${name}.json`);
}

/** The record of `name`, or undefined where there is none (or only a broken one). */
export function readStanding(stack: string, name: string): Standing | undefined {
  try {
    const text = fs.readFileSync(recordFile(stack, name), "utf8");
    const { incarnation, result } = JSON.parse(text) as Partial<Standing>;
    const whole = typeof incarnation === "number" && typeof result === "object" && result !== null;
    return whole ? { incarnation, result } : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the record of `name`, whole or not at all. */
export function writeStanding(stack: string, name: string, standing: Standing): void {
  const file = recordFile(stack, name);
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${file}.${process.pid}`, JSON.stringify(standing));
  fs.renameSync(`${file}.${process.pid}`, file);
}

/** Forgets `name`. */
export function removeStanding(stack: string, name: string): void {
  removeLast(recordFile(stack, name));
}

/**
 * Makes drift visible: a Command's inputs are never read back, so the program itself looks whether
 * the recorded thing is still there. If it is, its incarnation stays and nothing changes; if not,
 * the next number is a changed input, and the step's `update` makes the thing again.
 */
export function incarnation(
  stack: string,
  name: string,
  alive: (result: Readonly<Record<string, unknown>>) => boolean,
): number {
  const standing = readStanding(stack, name);
  // Whatever number was in a record that is broken, it was not 0: the thing is made again.
  if (!standing) return fs.existsSync(recordFile(stack, name)) ? 0 : 1;
  return alive(standing.result) ? standing.incarnation : standing.incarnation + 1;
}

/** Names of all that has a record, sorted. */
export function recordedNames(stack: string): string[] {
  const standing = path.join(stackFolder(stack), "standing");
  const files = fs.existsSync(standing) ? fs.readdirSync(standing) : [];
  return files
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}

/** What of a stack exists, as seen just before the program declares it. */
export interface Inspected {
  /** The incarnation to declare a thing with: the recorded one if it is alive, else the next. */
  incarnation(name: string): number;
  /** Whether a thing was recorded and is alive. */
  alive(name: string): boolean;
}

/** @param alive names of all that was found alive */
export function inspected(stack: string, alive: readonly string[]): Inspected {
  return {
    incarnation: (name) => incarnation(stack, name, () => alive.includes(name)),
    alive: (name) => alive.includes(name) && readStanding(stack, name) !== undefined,
  };
}
