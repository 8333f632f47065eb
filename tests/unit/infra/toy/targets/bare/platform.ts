import { spawn } from "node:child_process";
import type { Executor, Prepared } from "../../../../../../infra/contracts/platform";
import type { Services } from "../../../../../../infra/contracts/target";
import { datasetEnvironment, plainEnvironment } from "../../../../../../infra/host/environment";
import { checkout } from "../../../../../../infra/host/folders";
import type { Settings } from "../../../../../../infra/settings/schema";
import { KeptCredentials } from "../../../../../../infra/stack/step";
import { inspected } from "../../../../../../infra/stack/records";
import { prepareStore } from "../../../../../../infra/stores";
import { storeAccess } from "../../../../../../infra/stores/access";
import { shellHere } from "../../../../../../infra/targets/shellHere";
import {
  jobEnvironment,
  makeScratch,
  modelOf,
  existingTools,
  pythonOf,
} from "../../../../../../infra/toolchain/tools";
import { environmentHash, modelIdentity } from "../../../../../../infra/toolchain/locks";
import { Toolchain } from "../../../../../../infra/toolchain/toolchain";

/** Looks at what is there; writes nothing. */
export async function prepare(
  settings: Settings,
  stack: string,
  id: string | undefined,
): Promise<Prepared<Settings>> {
  const model = modelIdentity(settings);
  const observed = inspected(stack, existingTools(stack));
  const declareStore = await prepareStore(settings, stack, id);
  const device = "cpu";
  return {
    settings,
    declare() {
      const tools = { settings, device, model, observed, minio: false } as const;
      const { all, python } = new Toolchain("toolchain", tools);
      const generation = observed.generation("credentials");
      const secrets = new KeptCredentials("credentials", { settings, stack, generation });
      const objectStore = declareStore!(secrets);
      return {
        ...{ objectStore, sparkUiUrl: "", rayDashboardUrl: "", device, model },
        python: python.resource,
        quiet: [...all, objectStore.ready],
        environment: environmentHash(device),
      };
    },
  };
}

export function executor(stack: string): Executor {
  return {
    connection: async () => ({
      store: storeAccess(stack),
      ...{ spark: null, ray: null, model: modelOf(stack), services: [] },
      scratch: makeScratch(stack),
    }),
    start: (_cluster, mayDownload) =>
      spawn(pythonOf(stack), ["-m", "engine_comparison.leader"], {
        cwd: checkout,
        env: {
          ...(mayDownload ? datasetEnvironment() : plainEnvironment()),
          ...jobEnvironment(stack),
        },
        stdio: ["pipe", "pipe", "pipe"],
      }),
  };
}

export const services: Services = {
  status: async () => [],
  shell: (stack) => shellHere(stack, { ...plainEnvironment(), ...jobEnvironment(stack) }),
  logs: () => new Map(),
};
