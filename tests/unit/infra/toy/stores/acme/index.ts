import { wrong } from "../../../../../../infra/contracts/errors";
import { load, type Store } from "../../../../../../infra/contracts/target";
import type { Settings } from "../../../../../../infra/settings/schema";
import type { KeptCredentials } from "../../../../../../infra/stack/step";

/** The company's store: only its keys are to be set. */
export const acme: Store<Settings, KeptCredentials> = {
  name: "acme",
  docs: "docs/adding-a-target.md",
  external: true,
  rules: ({ s3AccessKey, s3SecretKey }) =>
    s3AccessKey && s3SecretKey
      ? []
      : wrong("s3AccessKey is not set", "acme refuses guests", "set both keys"),
  async prepare({ settings }) {
    const { AcmeStore } = await load(module, "./store", () => import("./store"));
    return (credentials) => new AcmeStore("object-store", { settings, credentials });
  },
};
