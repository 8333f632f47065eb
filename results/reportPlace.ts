import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { stackFolder } from "../infra/host/folders";

/** Where the report is in the bucket for outputs. */
export const reportKey = "report/index.html";

/** The stack folder's copy of the report. */
export function reportFile(stack: string): string {
  return path.join(stackFolder(stack), "report", "index.html");
}

/** `file:` URL of the stack folder's copy. */
export function reportUrl(stack: string): string {
  return pathToFileURL(reportFile(stack)).href;
}
