import { contextOf, preflight } from "../../contracts/check";
import { KeptCredentials, step } from "../../stack/step";
import { inspected, type Inspected } from "../../stack/records";
import { Toolchain } from "../../toolchain/toolchain";
import { environmentHash } from "../../toolchain/locks";
import { modelId } from "../../toolchain/checks";
import type { Platform } from "../../contracts/platform";
import type { Target } from "../../contracts/target";
import type { Settings } from "../../settings/schema";
import type { DeclareStore } from "../../stores";
import { preparedStore } from "../../stores/checks";
import { clustersOf, clustersStep } from "./executor";
import { checks, sized, toolsOf } from "./checks";

interface Facts {
  readonly existing: Inspected;
  readonly model: string;
  readonly declareStore: DeclareStore;
}

/**
 * Checks that the clusters and the store that the settings name exist, and are as they must be.
 *
 * @returns the settings with the clusters' size, and what declares how they are reached and the
 *   toolchain that jobs start from here
 * @throws UserError with all that is missing; nothing was written
 */
export const prepare: Target<Settings>["prepare"] = async (asked, stack, id) => {
  const context = contextOf({ stack, settings: asked, id, deployed: false });
  await preflight(context, checks);
  const settings = await sized(context);
  const model = context.facts(modelId);
  const declareStore = await context.facts(preparedStore);
  if (!declareStore) throw new Error("target cluster starts no store");
  const existing = inspected(stack, context.facts(toolsOf));
  return {
    settings,
    declare: () => declare(settings, stack, { existing, model, declareStore }),
  };
};

export function declare(settings: Settings, stack: string, facts: Facts): Platform {
  const { existing, model, declareStore } = facts;
  const device = "cpu";
  const more = ["packages"] as const;
  const tools = { settings, device, model, observed: existing, more } as const;
  const toolchain = new Toolchain("toolchain", tools);
  const generation = existing.generation("credentials");
  const credentials = new KeptCredentials("credentials", { settings, stack, generation });
  const objectStore = declareStore(credentials);
  const spec = {
    ...clustersOf(settings),
    // Of secrets only how often they changed; a record that is gone is written again.
    secrets: credentials.generations.apply(({ spark, ray }) => [spark, ray]),
    generation: "1",
  };
  const opts = { dependsOn: credentials.resource };
  const clusters = step(clustersStep, { kind: "cluster-record", spec }, opts);
  return {
    objectStore,
    sparkUiUrl: "",
    rayDashboardUrl: settings.rayAddress ?? "",
    device,
    gpus: 0,
    python: toolchain.python.resource,
    quiet: [...toolchain.all, objectStore.ready, clusters],
    environment: environmentHash(device),
    model,
  };
}
