import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../settings/schema";
import { engineEnvs, engineMounts } from "./engine";
import type { GpuArgs } from "./gpuAccess";
import { answers } from "./health";
import { credentialsFolder, imagePaths, inside, scratchFolder, sparkMasterUrl } from "./inside";
import type { ServiceBase } from "./minio";
import { Service } from "./service";
import type { Size } from "./sizes";

export interface SparkClusterArgs extends Omit<ServiceBase, "size"> {
  readonly settings: Settings;
  readonly masterSize: Size;
  readonly workerSize: Size;
  readonly gpu: GpuArgs;
}

/** Spark standalone: a master, and workers of `sparkWorkerCores` and `sparkWorkerMemory`. */
export class SparkCluster extends pulumi.ComponentResource {
  readonly master: Service;
  readonly workers: Service[];

  constructor(name: string, args: SparkClusterArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:SparkCluster", name, {}, opts);
    const { settings, gpu, masterSize, workerSize, ...base } = args;
    const { ground } = base;
    this.master = makeMaster(this);
    this.workers = Array.from({ length: settings.sparkWorkers }, (_, n) => makeWorker(this, n + 1));
    this.registerOutputs({});

    function makeMaster(parent: SparkCluster) {
      const { rpc, ui } = inside.sparkMaster;
      return new Service(
        "spark-master",
        {
          ...base,
          size: masterSize,
          command: daemon("master.Master", "spark-master", rpc, ui),
          envs: daemonEnvs,
          mounts: [{ volume: ground.credentials, path: credentialsFolder, readOnly: true }],
          health: answers(ui, "/json/", "ALIVE"),
          startSeconds: 120,
          stopSeconds: 15,
        },
        { parent, dependsOn: opts.dependsOn },
      );
    }

    function makeWorker(parent: SparkCluster, index: number) {
      const role = `spark-worker-${index}` as const;
      const { rpc, ui } = inside.sparkWorker(1);
      return new Service(
        role,
        {
          ...base,
          size: workerSize,
          command: [
            ...daemon("worker.Worker", role, rpc, ui),
            ...["--cores", String(settings.sparkWorkerCores)],
            ...["--memory", `${Math.floor(settings.sparkWorkerMemory / 2 ** 20)}m`],
            ...["--work-dir", `${scratchFolder}/${role}/work`, sparkMasterUrl],
          ],
          envs: { ...daemonEnvs, SPARK_LOCAL_DIRS: `${scratchFolder}/${role}/local` },
          mounts: engineMounts(ground),
          // A worker that has found its master names it.
          health: answers(ui, "/json/", `"masterurl" : "${sparkMasterUrl}"`),
          startSeconds: 120,
          stopSeconds: 15,
          gpu,
        },
        { parent, dependsOn: parent.master.ready },
      );
    }
  }
}

function daemon(which: string, host: string, port: number, ui: number): string[] {
  return [
    ...[`${imagePaths.spark}/bin/spark-class`, `org.apache.spark.deploy.${which}`, "--host", host],
    ...["--port", String(port), "--webui-port", String(ui)],
    ...["--properties-file", `${credentialsFolder}/spark-daemons.conf`],
  ];
}

const daemonEnvs = {
  ...engineEnvs,
  SPARK_HOME: imagePaths.spark,
  SPARK_DAEMON_MEMORY: "512m",
  // A daemon does little: the plain collector and compiler save memory and a second of start.
  SPARK_DAEMON_JAVA_OPTS: "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
  // Links on the pages lead to the published port, not into the network.
  SPARK_PUBLIC_DNS: "127.0.0.1",
};
