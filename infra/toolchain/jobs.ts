import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../host/folders";
import { startOf } from "../host/processTable";
import { stackFiles } from "../stack/files";
import { readStepRecord } from "../stack/records";
import { pythonOf, toolFolder } from "./tools";

/** One thread a session, because throughput collapses when sessions compete for cores. */
export const oneThread = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };

/** Environment of whatever runs our Python code: jobs, and the workers that run parts of them. */
export function jobEnvironment(stack: string): Record<string, string> {
  return {
    PYTHONPATH: path.join(checkout, "pipelines"),
    PYSPARK_PYTHON: pythonOf(stack),
    PYTHONUNBUFFERED: "1",
    ...oneThread,
  };
}

/** Where the model is that jobs load; null where there is none. */
export function modelOf(stack: string) {
  if (!readStepRecord(stack, "model")) return null;
  const folder = toolFolder(stack, "model");
  const labels = path.join(folder, "labels.json");
  return {
    path: path.join(folder, "model.onnx"),
    labels: fs.existsSync(labels) ? labels : null,
  };
}

/** A folder for one job, named by this process so that a killed one's is found and removed. */
export function makeScratch(stack: string): string {
  const { scratch: all } = stackFiles(stack);
  fs.mkdirSync(all, { recursive: true, mode: 0o700 });
  for (const name of fs.readdirSync(all)) {
    const [pid, start] = name.split("-");
    if (startOf(Number(pid)) !== start)
      fs.rmSync(path.join(all, name), { recursive: true, force: true });
  }
  const name = [process.pid, startOf(process.pid), randomBytes(4).toString("hex")].join("-");
  const folder = path.join(all, name);
  fs.mkdirSync(folder, { mode: 0o700 });
  return folder;
}
