import * as path from "node:path";
import { checkout } from "../folders";
import { pythonOf } from "./tools";

/**
 * Environment of whatever runs our Python code: jobs, and the workers that run parts of them. One
 * thread a session, because throughput collapses when sessions compete for cores.
 */
export function jobEnvironment(stack: string): Record<string, string> {
  return {
    PYTHONPATH: path.join(checkout, "pipelines"),
    PYSPARK_PYTHON: pythonOf(stack),
    PYTHONUNBUFFERED: "1",
    OMP_NUM_THREADS: "1",
    OPENBLAS_NUM_THREADS: "1",
    MKL_NUM_THREADS: "1",
  };
}
