import * as fs from "node:fs";
import * as path from "node:path";
import { removeLast } from "../host/folders";
import type { StepContext, StepVerbs } from "../stack/runStep";
import { entryFolder, isComplete, registerUse, releaseUse } from "./caches";
import { stackFiles } from "../stack/files";
import { BuildLog } from "./builds";
import type { ToolName, ToolResult } from "./tools";

/**
 * A toolchain step: `install` returns the entry, made if need be. The stack's use
 * of the cache is registered before, so that nobody clears it meanwhile.
 */
export function toolStep<Spec>(
  tool: ToolName,
  install: (log: BuildLog, context: StepContext<Spec>) => Promise<ToolResult>,
): StepVerbs<Spec> {
  return {
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
  };
}

function logFile(stack: string, tool: ToolName): string {
  return path.join(stackFiles(stack).logs, `toolchain-${tool}.log`);
}
