import * as fs from "node:fs";
import * as path from "node:path";
import { removeLast } from "../../folders";
import { runStep, type StepContext } from "../../runStep";
import { entryFolder, isComplete, registerUse, releaseUse } from "../caches";
import { places } from "../places";
import { BuildLog } from "../processes/builds";
import type { ToolName, ToolResult } from "../tools";

/**
 * The main function of a toolchain step: `install` returns the entry, made if need be. The stack's use
 * of the cache is registered before, so that nobody clears it meanwhile.
 */
export function runToolStep<Spec>(
  tool: ToolName,
  install: (log: BuildLog, context: StepContext<Spec>) => Promise<ToolResult>,
): Promise<void> {
  return runStep<Spec>({
    create: async (context) => {
      const file = logFile(context.stack, tool);
      fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      const log = new BuildLog(file);
      registerUse(context.stack, tool);
      const result = await install(log, context);
      if (!isComplete(result.entry)) throw new Error(`${entryFolder(result.entry)} is not whole`);
      return result;
    },
    async delete({ stack }) {
      releaseUse(stack, tool);
      removeLast(logFile(stack, tool));
    },
  });
}

function logFile(stack: string, tool: ToolName): string {
  return path.join(places(stack).logs, `toolchain-${tool}.log`);
}
