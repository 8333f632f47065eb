import * as os from "node:os";
import type { Machine } from "../contracts/target";

/** What this machine has. */
export function machine(): Machine {
  return { cpus: os.availableParallelism(), memoryBytes: os.totalmem() };
}
