import { wrong } from "../../contracts/errors";
import { load, type Target } from "../../contracts/target";
import { shapedConflicts } from "../../settings/checks";
import type { Settings } from "../../settings/schema";

/** Spark and Ray clusters that exist already: the way past one machine. */
export const cluster: Target<Settings> = {
  name: "cluster",
  docs: "docs/cluster.md",
  defaults: { objectStore: "aws", daftRunner: "ray" },
  addresses: { spark: "sparkMaster", ray: "rayAddress" },

  rules(settings, { store }) {
    const unreachable = wrong(
      `objectStore is "${store.name}" and target is cluster`,
      "the workers of a cluster do not reach a store that listens on this machine alone",
      "set objectStore to s3 or aws",
    );
    const noGpu = wrong(
      'gpu is "required" and target is cluster',
      "on clusters that exist already the models run on CPUs",
      "set gpu to auto or off",
    );
    return [
      ...shapedConflicts(settings),
      ...(store.external ? [] : unreachable),
      ...(settings.gpu === "required" ? noGpu : []),
    ];
  },

  checks: () => load(module, "./checks", () => import("./checks")),
  platform: () => load(module, "./platform", () => import("./platform")),
  executor: () => load(module, "./executor", () => import("./executor")),
};
