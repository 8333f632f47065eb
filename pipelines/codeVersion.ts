import { execFileSync } from "node:child_process";
import { toolEnvironment } from "../infra/host/environment";
import { checkout } from "../infra/host/folders";

/** The commit of this checkout and whether files differ from it; nulls outside of git. */
export function codeVersion(): { commit: string | null; dirty: boolean | null } {
  try {
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", checkout, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        env: toolEnvironment("git"),
      }).trim();
    return { commit: git("rev-parse", "HEAD"), dirty: git("status", "--porcelain") !== "" };
  } catch {
    return { commit: null, dirty: null };
  }
}
