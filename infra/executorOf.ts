import { recordedDaemon } from "./docker/daemon";
import { dockerExecutor } from "./docker/executor";
import type { Executor } from "./executor";
import { localExecutor } from "./local/executor";

/** The executor of the target that `stack` was made for. */
export function executorOf(stack: string): Executor {
  const daemon = recordedDaemon(stack);
  return daemon ? dockerExecutor(stack, daemon.host) : localExecutor(stack);
}
