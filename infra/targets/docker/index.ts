import { wrong } from "../../contracts/errors";
import { load, type Target } from "../../contracts/target";
import { shapedConflicts, startedHereConflicts } from "../../settings/checks";
import type { Settings } from "../../settings/schema";

/** The seed's services as containers of one Docker daemon. */
export const docker: Target<Settings> = {
  name: "docker",
  docs: "docs/docker.md",
  needsCli: "the embedded runner has no provider for Docker",
  defaults: { objectStore: "minio", daftRunner: "ray" },

  rules(settings, { machine, store }) {
    const elsewhere = wrong(
      `objectStore is "${store.name}" and target is docker`,
      "the containers of target docker know only the MinIO beside them",
      "set target to local, or objectStore to minio",
    );
    const conflicts = [...startedHereConflicts(settings, machine), ...shapedConflicts(settings)];
    return [...conflicts, ...(store.external ? elsewhere : [])];
  },

  checks: () => load(module, "./checks", () => import("./checks")),
  platform: () => load(module, "./platform", () => import("./platform")),
  executor: () => load(module, "./executor", () => import("./executor")),
};
