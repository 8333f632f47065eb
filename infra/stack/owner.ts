import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import { shortFolder, stackFiles, writeJson } from "./files";
import type { StepVerbs } from "./runStep";

export type RunnerName = "pulumi" | "embedded";

/** Who a stack belongs to: written by the first up, kept until nothing is left of the stack. */
export interface Owner {
  /** Random. Everything of the stack carries it, and is found and removed by it. */
  readonly id: string;
  /** The folder with Pulumi.yaml that the stack was deployed from. */
  readonly checkout: string;
  readonly target: string;
  readonly runner: RunnerName;
  /** Where the state is: {@link inStackFolder}, or the URL of a backend of the Pulumi CLI. */
  readonly backend: string;
  /** Where a store is that cannot be moved, such as an account and a region of AWS. */
  readonly place?: Readonly<Record<string, string>>;
}

/** The backend of the embedded runner, and of the Pulumi CLI where `npm start` chose the place. */
export const inStackFolder = "stack folder";

/** The stack's first resource, which has its id as an input. */
export const stackStep = "stack";

/** Who owns `stack`, or undefined where there is no such stack. @throws UserError for a broken record */
export function readOwner(stack: string): Owner | undefined {
  const file = stackFiles(stack).owner;
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Owner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UserError(
      `${file} cannot be read: ${(error as Error).message}`,
      "it says which checkout and runner the stack belongs to",
      "repair it, or remove it if nothing of the stack exists any more",
    );
  }
}

/** The id of a stack that a step works on. @throws UserError where its record is gone */
export function stackId(stack: string): string {
  const owner = readOwner(stack);
  if (owner) return owner.id;
  throw new UserError(
    `${stackFiles(stack).owner} is missing`,
    "what belongs to the stack is found by the id in it",
    "run npm start (or pulumi up): it takes the id from the state",
  );
}

export function writeOwner(stack: string, owner: Owner): void {
  writeJson(stackFiles(stack).owner, owner);
}

/**
 * Checks that a store's data stays where it is; with `record`, remembers the place.
 *
 * @param place such as `{ account: "123456789012", region: "eu-west-1" }`
 * @throws UserError where the stack has its data in another place
 */
export function keepPlace(stack: string, place: Readonly<Record<string, string>>, record = false) {
  const owner = readOwner(stack);
  const before = owner?.place ?? place;
  const moved = Object.keys(place).filter((key) => place[key] !== before[key]);
  if (moved.length > 0) {
    const say = (where: Readonly<Record<string, string>>) =>
      moved.map((key) => `${key} ${where[key]}`).join(", ");
    throw new UserError(
      `stack ${stack} has its data in ${say(before)}, and this is ${say(place)}`,
      "all buckets would be made again there, and those with the data deleted",
      `go back to ${say(before)}, choose another stack, or destroy this one first`,
    );
  }
  if (record && owner && !owner.place) writeOwner(stack, { ...owner, place });
}

/**
 * When nothing of the stack is left, its name is free again: removes what describes services and
 * runs that are gone, and would mislead a new stack. The history stays, and so do the settings and
 * their passphrase, as with any `pulumi destroy`.
 */
export function forgetStack(stack: string): void {
  const { records, runs, inputs, logs, report, home, owner } = stackFiles(stack);
  const own = [home, shortFolder(stack)];
  for (const folder of [records, runs, inputs, logs, path.dirname(report), ...own]) {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  fs.rmSync(owner, { force: true });
}

/** Keeps the stack's id in the state. Its delete is the last of all, so the stack's name is free again. */
export const stackVerbs = {
  async create({ stack, spec }) {
    const id = stackId(stack);
    if (id === spec.id) return { id };
    throw new UserError(
      `the stack folder of ${stack} has the id ${id}, and the state has ${spec.id}`,
      "the folder and the state are of two different stacks",
      "put the folder back that belongs to this state, or choose another stack",
    );
  },
  async delete({ stack }) {
    forgetStack(stack);
  },
} satisfies StepVerbs<{ readonly id: string }>;
