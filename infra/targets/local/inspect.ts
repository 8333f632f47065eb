import * as fs from "node:fs";
import { dataMark } from "../../stack/places";
import { inspected, recordedNames, type Inspected } from "../../stack/records";
import { existingTools } from "../../toolchain/tools";
import { programStates } from "./services";
import { supervisorAnswers } from "./supervisord";

/** Looks at the stack's processes and files; changes nothing. */
export async function inspect(stack: string): Promise<Inspected> {
  const alive = new Set<string>();
  if (await supervisorAnswers(stack)) alive.add("supervisor");
  for (const { name, statename } of await programStates(stack)) {
    if (statename === "RUNNING" || statename === "STARTING") alive.add(name);
  }
  if (fs.existsSync(dataMark(stack))) alive.add("minio-data");
  return inspected(stack, [...alive, ...existingTools(stack)]);
}

/** Services with a record that do not run any more, e.g. after a reboot. */
export function stoppedServices(stack: string, inspected: Inspected): string[] {
  return recordedNames(stack).filter((name) => isService(name) && !inspected.alive(name));
}

/** Whether a resource of this name is a service under the supervisor. */
export function isService(name: string): boolean {
  return ["minio", "spark-master", "ray-head"].includes(name) || /^spark-worker-\d+$/.test(name);
}
