import { load, type Target } from "../../contracts/target";
import { proxyConflicts, startedHereConflicts } from "../../settings/checks";
import type { Settings } from "../../settings/schema";

/** Everything as processes of this user on this machine; no Docker, no root. */
export const local: Target<Settings> = {
  name: "local",
  docs: "README.md",
  defaults: { objectStore: "minio", daftRunner: "native" },
  rules: (settings, { machine, store }) => [
    ...startedHereConflicts(settings, machine),
    ...proxyConflicts(settings, store),
  ],

  checks: () => load(module, "./checks", () => import("./checks")),
  platform: () => load(module, "./platform", () => import("./platform")),
  executor: () => load(module, "./executor", () => import("./executor")),
};
