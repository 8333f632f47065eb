import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../settings/schema";
import type { ports } from "../../settings/ports";
import type { Supervisor } from "./supervisor";

export interface SparkClusterArgs {
  readonly supervisor: Supervisor;
  readonly settings: Pick<Settings, "sparkWorkers" | "sparkWorkerCores" | "sparkWorkerMemory">;
  readonly ports: Pick<ReturnType<typeof ports>, "sparkMaster" | "sparkWorker" | "sparkDriver">;
}

/** Spark standalone: a master and its workers, which only who has the stack's secret can talk to. */
export class SparkCluster extends pulumi.ComponentResource {
  readonly uiUrl: string;
  readonly all: pulumi.Resource[];

  constructor(name: string, args: SparkClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:SparkCluster", name, {}, opts);
    const { supervisor, settings, ports } = args;
    const child = { parent: this };
    this.uiUrl = `http://127.0.0.1:${ports.sparkMaster.ui}`;

    const master = supervisor.service(
      "spark-master",
      {
        kind: "local-spark-master",
        secret: "spark",
        spec: { ports: ports.sparkMaster, driverPorts: ports.sparkDriver },
      },
      child,
    );
    const worker = (index: number) =>
      supervisor.service(
        `spark-worker-${index}`,
        {
          kind: "local-spark-worker",
          secret: "spark",
          spec: {
            ports: ports.sparkWorker(index),
            master: ports.sparkMaster,
            cores: settings.sparkWorkerCores,
            memoryBytes: settings.sparkWorkerMemory,
          },
          dependsOn: [master],
        },
        child,
      );
    const workers = Array.from({ length: settings.sparkWorkers }, (_, n) => worker(n + 1));
    this.all = [master, ...workers];
    this.registerOutputs({ uiUrl: this.uiUrl });
  }
}
