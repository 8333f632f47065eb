import * as fs from "node:fs";
import { makeShortFolder, rayFolder, stackFiles, writeWhole } from "../../stack/files";
import type { StepVerbs } from "../../stack/runStep";
import { pythonOf } from "../../toolchain/tools";
import { localService, writeConfiguration, type LocalSpec } from "./place";
import { convergeService, removeService } from "./services";
import { removeSupervisor, startSupervisor, stopSupervisor } from "./supervisord";

/** The stack's supervisord. Started afresh, it starts nothing: each service has a step of its own. */
export const supervisor = {
  async create({ stack }) {
    await startSupervisor(stack, pythonOf(stack));
    return { supervisor: "supervisord" };
  },
  async delete({ stack }) {
    await stopSupervisor(stack);
    removeSupervisor(stack);
  },
} satisfies StepVerbs<unknown>;

/** The drive that MinIO stores on. What is in it is gone with it. */
export const minioData = {
  async create({ stack, spec }) {
    fs.mkdirSync(stackFiles(stack).minioData, { recursive: true, mode: 0o700 });
    writeWhole(stackFiles(stack).minioDataId, spec.generation);
    return { data: "minio/data" };
  },
  async delete({ stack }) {
    fs.rmSync(stackFiles(stack).minio, { recursive: true, force: true });
  },
} satisfies StepVerbs<{ readonly generation: string }>;

/** A service under the supervisor. */
export const service = {
  async create({ stack, name, spec }) {
    const { service, result } = localService(stack, name, spec);
    writeConfiguration(stack, spec.portOffset);
    const folder = ownFolder(stack, name, spec);
    if (spec.ray) makeShortFolder(stack);
    if (folder) fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    await convergeService(stack, { name, directory: stackFiles(stack).root, ...service }, spec);
    return result;
  },

  async delete({ stack, name, spec }) {
    await removeService(stack, name);
    const folder = ownFolder(stack, name, spec);
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  },
} satisfies StepVerbs<LocalSpec>;

/** What a service keeps on disk while it runs, besides data. */
function ownFolder(stack: string, name: string, spec: LocalSpec): string | undefined {
  if (spec.ray) return rayFolder(stack);
  return spec.worker && stackFiles(stack).sparkWorker(name);
}
