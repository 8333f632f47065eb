import * as fs from "node:fs";
import * as path from "node:path";
import { readCredentials } from "../stack/credentials";
import { readStepRecord } from "../stack/records";
import { UserError } from "../contracts/errors";
import { entryFolder, isComplete, type Entry } from "./caches";

/** The tools that a stack stands on, by the names of their steps. */
export const toolNames = ["python", "jars", "minio-binary", "model", "packages"] as const;
export type ToolName = (typeof toolNames)[number];

/** What a tool's step prints: where it is, relative to the cache. */
export interface ToolResult {
  readonly entry: Entry;
  readonly [more: string]: unknown;
}

/** The folder of a tool that stands, as its step recorded it. */
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

/** The Python interpreter of the stack's environment. */
export function pythonOf(stack: string): string {
  return path.join(toolFolder(stack, "python"), "bin", "python");
}

/** Whether a recorded tool is still in the cache, whole. */
export function toolStands(result: Readonly<Record<string, unknown>>): boolean {
  const { entry } = result as unknown as ToolResult;
  if (!isComplete(entry)) return false;
  // An environment's interpreter is a link that breaks when the system's Python is removed.
  return !entry.startsWith("python/") || fs.existsSync(path.join(entryFolder(entry), "bin/python"));
}

/** Names of the recorded tools that are still in the cache, and of the credentials. */
export function existingTools(stack: string): string[] {
  const tools = toolNames.filter((tool) => {
    const record = readStepRecord(stack, tool);
    return record !== undefined && toolStands(record.result);
  });
  return readCredentials(stack) ? [...tools, "credentials"] : tools;
}
