import { KeptCredentials, step } from "../../stack/step";
import { inspected, type Inspected } from "../../stack/records";
import { Toolchain } from "../../toolchain/toolchain";
import { environmentHash } from "../../toolchain/locks";
import { modelId } from "../../toolchain/checks";
import type { Platform, Prepared } from "../../contracts/platform";
import type { StackContext } from "../../host/checks";
import type { Settings } from "../../settings/schema";
import { prepareStore, type DeclareStore } from "../../stores";
import { clustersOf, clustersStep } from "./executor";
import { sized, toolsOf } from "./checks";

interface Facts {
  readonly existing: Inspected;
  readonly model: string;
  readonly declareStore: DeclareStore;
}

/** The settings with the clusters' size; how they are reached, and the toolchain that jobs start from. */
export async function prepare(context: StackContext): Promise<Prepared<Settings>> {
  const { stack } = context;
  const settings = await sized(context);
  const model = context.facts(modelId);
  const declareStore = (await context.facts(prepareStore))!; // the target's rules refuse others
  const existing = inspected(stack, context.facts(toolsOf));
  return {
    settings,
    declare: () => declare(settings, stack, { existing, model, declareStore }),
  };
}

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
