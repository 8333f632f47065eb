import * as pulumi from "@pulumi/pulumi";
import { contextOf, preflight } from "../../contracts/check";
import { KeptCredentials, step } from "../../stack/step";
import { inspected, type Inspected } from "../../stack/records";
import { Toolchain } from "../../toolchain/toolchain";
import { environmentHash } from "../../toolchain/locks";
import { modelId } from "../../toolchain/checks";
import type { Platform, Prepared } from "../../contracts/platform";
import { ports } from "../../settings/ports";
import type { Settings } from "../../settings/schema";
import type { DeclareStore } from "../../stores";
import { preparedStore } from "../../stores/checks";
import { clustersStep, type ClustersRecord } from "./executor";
import { checks, sized, toolsOf } from "./checks";

/** What was found out before anything is declared. */
export interface Surroundings {
  readonly observed: Inspected;
  readonly model: string;
  readonly declareStore: DeclareStore;
}

/**
 * Looks whether the clusters and the store that the settings name are there, and as they must be.
 *
 * @returns the settings with the clusters' size, and what declares how they are reached and the
 *   toolchain that jobs start from here
 * @throws UserError with all that is missing; nothing was written
 */
export async function prepare(
  asked: Settings,
  stack: string,
  id?: string,
): Promise<Prepared<Settings>> {
  const context = contextOf({ stack, settings: asked, id, deployed: false });
  await preflight(context, checks);
  const settings = await sized(context);
  const model = context.facts(modelId);
  const declareStore = await context.facts(preparedStore);
  if (!declareStore) throw new Error("target cluster has no store of its own");
  const observed = inspected(stack, context.facts(toolsOf));
  return {
    settings,
    declare: () => declare(settings, stack, { observed, model, declareStore }),
  };
}

/** Declares the platform's resources. */
export function declare(settings: Settings, stack: string, around: Surroundings): Platform {
  const { observed, model, declareStore } = around;
  const device = "cpu";
  const toolchain = new Toolchain("toolchain", {
    settings,
    device,
    model,
    observed,
    minio: false,
    packages: true,
  });
  const credentials = new KeptCredentials("credentials", {
    settings,
    stack,
    generation: observed.generation("credentials"),
  });
  const objectStore = declareStore(credentials);
  const clusters = new Clusters("clusters", { settings, credentials });
  return {
    objectStore,
    sparkUiUrl: "",
    rayDashboardUrl: settings.rayAddress ?? "",
    device,
    python: toolchain.python.resource,
    quiet: [...toolchain.all, objectStore.ready, clusters.known],
    environment: environmentHash(device),
    model,
  };
}

interface ClustersArgs {
  readonly settings: Settings;
  readonly credentials: KeptCredentials;
}

/** The clusters that are there already; nothing of them is the stack's. */
class Clusters extends pulumi.ComponentResource {
  readonly known: pulumi.Resource;

  constructor(name: string, args: ClustersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:cluster:Clusters", name, {}, opts);
    const { settings, credentials } = args;
    this.known = step(
      clustersStep,
      {
        kind: "cluster-record",
        spec: {
          ...recordOf(settings),
          // Of secrets only how often they changed; a record that is gone is written again.
          secrets: pulumi.output(credentials.generations).apply(({ spark, ray }) => [spark, ray]),
          generation: 1,
        },
      },
      { parent: this, dependsOn: credentials.resource },
    );
    this.registerOutputs({});
  }
}

function recordOf(settings: Settings): ClustersRecord {
  const { sparkMaster, sparkSecret, sparkDriverHost, rayAddress, rayToken } = settings;
  const first = settings.sparkDriverPort - ports(0).sparkDriver[0];
  return {
    spark:
      sparkMaster === undefined
        ? null
        : {
            master: sparkMaster,
            authenticates: sparkSecret !== undefined,
            workers: settings.sparkWorkers,
            workerCores: settings.sparkWorkerCores,
            workerMemory: `${Math.floor(settings.sparkWorkerMemory / 2 ** 20)}m`,
            driverHost: sparkDriverHost ?? null,
            driverPorts: ports(settings.portOffset + first).sparkDriver,
            conf: settings.sparkConf,
          },
    ray:
      rayAddress === undefined
        ? null
        : {
            dashboard: rayAddress.replace(/\/$/, ""),
            authenticates: rayToken !== undefined,
            cpus: settings.rayCpus,
          },
  };
}
