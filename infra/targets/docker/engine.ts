import { credentialsFolder, ownModelFolder, scratchFolder } from "./inside";
import type { Ground } from "./ground";
import type { Mount } from "./service";

/**
 * What all containers of the engine image know. One thread a session, because throughput collapses
 * when sessions compete for cores.
 */
export const engineEnvs = {
  OMP_NUM_THREADS: "1",
  OPENBLAS_NUM_THREADS: "1",
  MKL_NUM_THREADS: "1",
  PYSPARK_PYTHON: "/opt/venv/bin/python",
};

/** The volumes of containers that run pipeline code. */
export function engineMounts(ground: Ground): Mount[] {
  return [
    { volume: ground.credentials, path: credentialsFolder, readOnly: true },
    { volume: ground.scratch, path: scratchFolder },
    ...(ground.model ? [{ volume: ground.model, path: ownModelFolder, readOnly: true }] : []),
  ];
}
