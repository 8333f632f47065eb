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

  prepare: async (...args) => (await platform()).prepare(...args),
  checks: async () => (await load(module, "./checks", () => import("./checks"))).checks,
  executor: async (stack) => (await executor()).localExecutor(stack),
  services: async () => (await executor()).localServices,
};

const platform = () => load(module, "./platform", () => import("./platform"));
const executor = () => load(module, "./executor", () => import("./executor"));
