import * as fs from "node:fs";
import { readCredentials } from "../credentials/files";
import { incarnation, readStanding } from "../standing";
import { dataMark, places } from "./places";
import { programStates } from "./processes/services";
import { supervisorAnswers } from "./processes/supervisord";
import { toolNames, toolStands } from "./tools";

/** What of a stack is standing, as seen just before the program declares it. */
export interface Observed {
  /** The incarnation to declare a thing with: the recorded one if it is alive, else the next. */
  incarnation(name: string): number;
  /** Recorded things that do not stand any more, e.g. after a reboot. */
  readonly fallen: readonly string[];
  /** Whether a service was recorded and is alive. */
  alive(name: string): boolean;
}

/** Looks at the stack's processes and files; changes nothing. */
export async function observe(stack: string): Promise<Observed> {
  const alive = new Set<string>();
  if (await supervisorAnswers(stack)) alive.add("supervisor");
  for (const { name, statename } of await programStates(stack)) {
    if (statename === "RUNNING" || statename === "STARTING") alive.add(name);
  }
  if (readCredentials(stack)) alive.add("credentials");
  if (fs.existsSync(dataMark(stack))) alive.add("minio-data");
  for (const tool of toolNames) {
    const standing = readStanding(stack, tool);
    if (standing && toolStands(standing.result)) alive.add(tool);
  }
  return {
    incarnation: (name) => incarnation(stack, name, () => alive.has(name)),
    alive: (name) => alive.has(name) && readStanding(stack, name) !== undefined,
    fallen: recordedThings(stack).filter((name) => !alive.has(name)),
  };
}

/** Names of this target's things that have a record. */
function recordedThings(stack: string): string[] {
  const others = new Set<string>([...toolNames, "credentials", "supervisor", "minio-data"]);
  return recordedNames(stack).filter((name) => others.has(name) || isService(name));
}

/** Whether a resource of this name is a service under the supervisor. */
export function isService(name: string): boolean {
  return ["minio", "spark-master", "ray-head"].includes(name) || /^spark-worker-\d+$/.test(name);
}

/** Names of all that has a record, sorted. */
export function recordedNames(stack: string): string[] {
  const { standing } = places(stack);
  const files = fs.existsSync(standing) ? fs.readdirSync(standing) : [];
  return files
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}
