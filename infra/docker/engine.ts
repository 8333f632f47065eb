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
