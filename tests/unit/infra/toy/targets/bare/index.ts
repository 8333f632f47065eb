import { wrong } from "../../../../../../infra/contracts/errors";
import { load, type Target } from "../../../../../../infra/contracts/target";
import type { Settings } from "../../../../../../infra/settings/schema";

/** Jobs as processes of this machine; Spark and Ray are not started, the store is external. */
export const bare: Target<Settings> = {
  name: "bare",
  docs: "docs/adding-a-target.md",
  defaults: { objectStore: "s3", daftRunner: "native" },
  addresses: { spark: "sparkMaster", ray: "rayAddress" },
  rules: (_settings, { store }) =>
    store.external
      ? []
      : wrong("objectStore is minio", "nothing starts it", "set objectStore to s3"),
  checks: async () => ({ checks: [] }),
  platform,
  executor: platform,
};

function platform() {
  return load(module, "./platform", () => import("./platform"));
}
