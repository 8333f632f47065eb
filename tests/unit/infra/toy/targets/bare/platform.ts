import type { Executor, Prepared } from "../../../../../../infra/contracts/platform";
import type { Services } from "../../../../../../infra/contracts/target";
import type { StackContext } from "../../../../../../infra/host/checks";
import type { Settings } from "../../../../../../infra/settings/schema";
import { KeptCredentials } from "../../../../../../infra/stack/step";
import { inspected } from "../../../../../../infra/stack/records";
import { prepareStore } from "../../../../../../infra/stores";
import { storeAccess } from "../../../../../../infra/stores/access";
import { pythonVariables, shellHere, startLeader } from "../../../../../../infra/targets/processes";
import { environmentHash, modelIdentity } from "../../../../../../infra/toolchain/locks";
import { Toolchain } from "../../../../../../infra/toolchain/toolchain";
import { existingTools, makeScratch, modelOf } from "../../../../../../infra/toolchain/tools";

/** Looks at what is there; writes nothing. */
export async function prepare(context: StackContext): Promise<Prepared<Settings>> {
  const { settings, stack } = context;
  const model = modelIdentity(settings);
  const observed = inspected(stack, existingTools(stack));
  const declareStore = await context.facts(prepareStore);
  const device = "cpu";
  return {
    settings,
    declare() {
      const tools = { settings, device, model, observed, more: [] } as const;
      const { all, python } = new Toolchain("toolchain", tools);
      const generation = observed.generation("credentials");
      const secrets = new KeptCredentials("credentials", { settings, stack, generation });
      const objectStore = declareStore!(secrets);
      return {
        ...{ objectStore, sparkUiUrl: "", rayDashboardUrl: "", device, gpus: 0, model },
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
    start: (_cluster, mayDownload) => startLeader(stack, { mayDownload }),
  };
}

export const services: Services = {
  status: async () => [],
  shell: (stack) => shellHere(stack, pythonVariables(stack)),
  logs: () => new Map(),
};
