import { clusterExecutor } from "./cluster/executor";
import { recordedDaemon } from "./docker/daemon";
import { dockerExecutor } from "./docker/executor";
import type { Executor } from "../contracts/executor";
import { localExecutor } from "./local/executor";
import { readOwner } from "../stack/owner";

/** The executor of the target that `stack` was made for. */
export function executorOf(stack: string): Executor {
  if (readOwner(stack)?.target === "cluster") return clusterExecutor(stack);
  const daemon = recordedDaemon(stack);
  return daemon ? dockerExecutor(stack, daemon.host) : localExecutor(stack);
}
