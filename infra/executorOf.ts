import type { Executor } from "./executor";
import { localExecutor } from "./local/executor";

/** The executor of the target that `stack` was made for. */
export function executorOf(stack: string): Executor {
  return localExecutor(stack);
}
