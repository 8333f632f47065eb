import * as fs from "node:fs";
import { stackFiles } from "../../stack/files";
import { inspected, readStepRecord, recordedNames, type Inspected } from "../../stack/records";
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
  if (fs.existsSync(stackFiles(stack).minioDataId)) alive.add("minio-data");
  const all = inspected(stack, [...alive, ...existingTools(stack)], (name) =>
    isService(name) || name === "supervisor" ? "stopped" : "was removed",
  );
  return {
    ...all,
    // What is on the drive goes by the id there: run keys follow from it.
    generation: (name) => (name === "minio-data" && dataId(stack)) || all.generation(name),
  };
}

/** The generation of the data on MinIO's drive, where no record says it. */
function dataId(stack: string): string | undefined {
  const { minioDataId } = stackFiles(stack);
  if (readStepRecord(stack, "minio-data") || !fs.existsSync(minioDataId)) return undefined;
  return fs.readFileSync(minioDataId, "utf8");
}

/** Services with a record that do not run any more, e.g. after a reboot. */
export function stoppedServices(stack: string, inspected: Inspected): string[] {
  return recordedNames(stack).filter((name) => isService(name) && !inspected.alive(name));
}

/** Whether a resource of this name is a service under the supervisor. */
export function isService(name: string): boolean {
  return ["minio", "spark-master", "ray-head"].includes(name) || /^spark-worker-\d+$/.test(name);
}
