import * as pulumi from "@pulumi/pulumi";
import { engineEnvs, engineMounts } from "./engine";
import type { GpuArgs } from "./gpuAccess";
import { credentialsFolder, rayClientUrl, scratchFolder, sparkMasterUrl } from "./inside";
import type { ServiceBase } from "./minio";
import { rayAccess } from "./rayCluster";
import { Service } from "./service";

export interface AppArgs extends ServiceBase {
  readonly gpu: GpuArgs;
  /** What the scripts that start jobs have to know. */
  readonly facts: Readonly<Record<string, string | number>>;
}

/** Where people work, and where all jobs run but those on the Ray cluster. */
export class App extends pulumi.ComponentResource {
  readonly service: Service;

  constructor(name: string, args: AppArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:App", name, {}, opts);
    const { ground } = args;
    this.service = new Service(
      "app",
      {
        ...args,
        command: ["sleep", "infinity"],
        envs: {
          ...engineEnvs,
          ...rayAccess,
          SPARK_MASTER: sparkMasterUrl,
          SPARK_CONF_DIR: credentialsFolder,
          RAY_ADDRESS: rayClientUrl,
          DAFT_RUNNER: "ray",
        },
        mounts: engineMounts(ground),
        health: `test -r ${credentialsFolder}/store.env && test -w ${scratchFolder}`,
        startSeconds: 30,
        stopSeconds: 2,
      },
      { parent: this, dependsOn: opts.dependsOn },
    );
    this.registerOutputs({});
  }
}
