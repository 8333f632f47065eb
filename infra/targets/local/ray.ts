import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../settings/schema";
import type { ports } from "../../settings/ports";
import type { Supervisor } from "./supervisor";

export interface RayClusterArgs {
  readonly supervisor: Supervisor;
  readonly settings: Pick<Settings, "rayCpus" | "rayObjectStoreMemory">;
  readonly gpus: number;
  readonly ports: ReturnType<typeof ports>["ray"];
}

/** Ray: one head that also works, which only who has the stack's token can talk to. */
export class RayCluster extends pulumi.ComponentResource {
  readonly dashboardUrl: string;
  readonly head: pulumi.Resource;

  constructor(name: string, args: RayClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:RayCluster", name, {}, opts);
    const { supervisor, settings, gpus, ports } = args;
    this.dashboardUrl = `http://127.0.0.1:${ports.dashboard}`;
    this.head = supervisor.service(
      "ray-head",
      {
        kind: "local-ray-head",
        secret: "ray",
        spec: {
          ports,
          cpus: settings.rayCpus,
          gpus,
          objectStoreBytes: settings.rayObjectStoreMemory,
        },
      },
      { parent: this },
    );
    this.registerOutputs({ dashboardUrl: this.dashboardUrl });
  }
}
