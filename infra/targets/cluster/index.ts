import { type Conflict, type Target, load } from "../../contracts/target";
import { shapedConflicts } from "../../settings/checks";
import type { Settings } from "../../settings/schema";

/** Spark and Ray clusters that exist already: the way past one machine. */
export const cluster: Target<Settings> = {
  name: "cluster",
  docs: "docs/cluster.md",
  defaults: { objectStore: "aws", daftRunner: "ray" },
  addresses: { spark: "sparkMaster", ray: "rayAddress" },

  rules(settings, { store }) {
    const conflicts: Conflict[] = shapedConflicts(settings);
    if (!store.external) {
      conflicts.push({
        what: `objectStore is "${store.name}" and target is cluster`,
        why: "the workers of a cluster do not reach a store that listens on this machine alone",
        fix: "set objectStore to s3 or aws",
      });
    }
    if (settings.gpu === "required") {
      conflicts.push({
        what: 'gpu is "required" and target is cluster',
        why: "on clusters that exist already the models run on CPUs",
        fix: "set gpu to auto or off",
      });
    }
    return conflicts;
  },

  prepare: async (...args) => (await import("./platform")).prepare(...args),
  checks: async () => (await import("./checks")).checks,
  async executor(stack) {
    const { clusterExecutor } = await load(module, "./executor", () => import("./executor"));
    return clusterExecutor(stack);
  },
  services: async () => (await import("./executor")).clusterServices,
};
