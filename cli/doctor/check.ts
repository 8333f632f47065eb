import { names, type Role } from "../../infra/targets/docker/names";
import type { Settings } from "../../infra/settings/schema";
import { UserError } from "../../infra/contracts/errors";
import type { ServiceView } from "../../infra/contracts/target";

/** What the checks look at. */
export interface Patient {
  readonly stack: string;
  readonly settings: Settings;
  /** Whether anything of the stack was deployed. */
  readonly stands: boolean;
  /** As their keeper tells them; none where the stack does not stand or the keeper is silent. */
  readonly services: readonly ServiceView[];
  /** Names of the runs that the settings ask for. */
  readonly runs: readonly string[];
}

/** Whose trouble it is: what a judge needs to name commands and compare with. */
export type Named = Pick<Patient, "stack" | "settings">;

/** When a check is of use. */
export interface Occasion {
  /** The first column of the table in docs/troubleshooting.md. */
  readonly id: string;
  /** What is in order when nothing is found. */
  readonly name: string;
  /** Whether there is anything to look at. @default always */
  readonly applies?: (patient: Patient) => boolean;
  /** Checks by id: where one of them has found something, this one would tell its effect. */
  readonly after?: readonly string[];
}

/** A cause of trouble, looked for. */
export interface Check extends Occasion {
  /** @returns what is wrong; a UserError that is thrown is one too */
  look(patient: Patient): Promise<readonly UserError[]>;
}

/** The two halves of a check: one asks the machine, the other decides by what it was told alone. */
export interface Halves<Seen> {
  readonly observe: (patient: Patient) => Promise<Seen> | Seen;
  readonly judge: (seen: Seen, patient: Patient) => readonly UserError[];
}

export function check<Seen>({ observe, judge, ...occasion }: Occasion & Halves<Seen>): Check {
  return { ...occasion, look: async (patient) => judge(await observe(patient), patient) };
}

export const stands = ({ stands }: Patient): boolean => stands;
export const isLocal = ({ settings }: Patient): boolean => settings.target === "local";
/** Whether Spark, Ray and their ports are the stack's own, and not those of target cluster. */
export const startsEngines = ({ settings }: Patient): boolean => settings.target !== "cluster";
/** Whether jobs are processes of this machine, with its Java and Python. */
export const startsJobs = ({ settings }: Patient): boolean => settings.target !== "docker";
export const isDocker = ({ settings }: Patient): boolean => settings.target === "docker";

/** What `find` returns, or the user's error that it throws. */
export function errorsOf(find: () => unknown): UserError[] {
  try {
    find();
    return [];
  } catch (error) {
    if (error instanceof UserError) return [error];
    throw error;
  }
}

/** A command of this project on the patient's stack: `npm run logs -- minio --stack two`. */
export function npm(stack: string, verb: string, ...args: readonly string[]): string {
  const all = [...args, ...(stack === "local" ? [] : ["--stack", stack])];
  const script = verb === "start" ? "npm start" : `npm run ${verb}`;
  return [script, ...(all.length > 0 ? ["--", ...all] : [])].join(" ");
}

/** How to read a service's log, whatever it is called on the stack's target. */
export function logs({ stack, settings }: Named, role: Role): string {
  return npm(stack, "logs", settings.target === "docker" ? names(stack).container(role) : role);
}

/** Bytes for people. */
export function size(bytes: number): string {
  return bytes >= 2 ** 30
    ? `${(bytes / 2 ** 30).toFixed(1)} GiB`
    : `${Math.floor(bytes / 2 ** 20)} MiB`;
}

/**
 * Whether a cluster has the version that its clients are locked to.
 *
 * @param effect what users see where it has another
 */
export function otherVersion(
  cluster: string,
  { url, version }: { readonly url: string; readonly version?: string },
  locked: string,
  effect: string,
): UserError[] {
  if (version === undefined || version === locked) return [];
  return [
    new UserError(
      `the ${cluster} at ${url} is ${version}, and its clients are ${locked}`,
      effect,
      `end that ${cluster} if it is another one; else npm start replaces what an older checkout has left`,
    ),
  ];
}
