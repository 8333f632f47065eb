import { type Target, load } from "../../contracts/target";
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
  prepare: async (...args) => (await import("./platform")).prepare(...args),
  checks: async () => (await import("./checks")).checks,
  async executor(stack) {
    const { localExecutor } = await load(module, "./executor", () => import("./executor"));
    return localExecutor(stack);
  },
  services: async () => (await import("./executor")).localServices,
};
