import type { ChildProcess } from "node:child_process";

/** Waits for a child. @returns its exit code; 1 when a signal ended it or it never began */
export function exited(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.once("close", (code) => resolve(code ?? 1));
  });
}
