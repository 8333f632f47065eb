import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import { attempt, checkout } from "../host/folders";
import { startOf } from "../host/processTable";
import { isEnvironmentUsable } from "../host/runtimes";
import { readCredentials } from "../stack/credentials";
import { makeShortFolder, stackFiles } from "../stack/files";
import { readStepRecord } from "../stack/records";
import { entryFolder, isComplete, type Entry } from "./caches";

/** The tools that a stack needs, by the names of their steps. */
export const toolNames = [
  "python",
  "jars",
  "minio-binary",
  "toxiproxy-binary",
  "model",
  "packages",
] as const;
export type ToolName = (typeof toolNames)[number];

/** What a tool's step prints: where it is, relative to the cache. */
export interface ToolResult {
  readonly entry: Entry;
  readonly [more: string]: unknown;
}

/** The folder of a tool that exists, as its step recorded it. */
export function toolFolder(stack: string, tool: ToolName): string {
  const result = readStepRecord(stack, tool)?.result as ToolResult | undefined;
  if (!result || !isComplete(result.entry)) {
    throw new UserError(
      `${tool} is not installed for stack ${stack}`,
      "services and jobs are started from it",
      "run npm start (or pulumi up) first: it installs what is missing",
    );
  }
  return entryFolder(result.entry);
}

/** Ray starts its parts by command lines in which it quotes nothing. */
const takesQuotes = /[^\w./+@=,:~-]/;

/** The folder of the stack's Python environment, under a name that needs no quotes. */
export function environmentOf(stack: string): string {
  const folder = toolFolder(stack, "python");
  if (!takesQuotes.test(folder)) return folder;
  const link = path.join(makeShortFolder(stack), "python");
  if (attempt(() => fs.readlinkSync(link)) !== folder) {
    const made = `${link}.${process.pid}`;
    fs.symlinkSync(folder, made);
    fs.renameSync(made, link);
  }
  return link;
}

export function pythonOf(stack: string): string {
  return path.join(environmentOf(stack), "bin", "python");
}

/** Names of the recorded tools that are still in the cache, whole, and start; and of the credentials. */
export function existingTools(stack: string): string[] {
  const tools = toolNames.filter((tool) => {
    const result = readStepRecord(stack, tool)?.result as ToolResult | undefined;
    if (!result || !isComplete(result.entry)) return false;
    return tool !== "python" || isEnvironmentUsable(entryFolder(result.entry));
  });
  return readCredentials(stack) ? [...tools, "credentials"] : tools;
}

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
  return { path: path.join(toolFolder(stack, "model"), "model.onnx") };
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
