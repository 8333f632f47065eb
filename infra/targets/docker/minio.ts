import * as pulumi from "@pulumi/pulumi";
import { answers } from "./health";
import { credentialsFolder, inside } from "./inside";
import { urlOf } from "./published";
import { Service, type ServiceArgs } from "./service";

/** What the components of services are given; they add what is theirs. */
export type ServiceBase = Pick<
  ServiceArgs,
  "ground" | "image" | "secretVersion" | "size" | "portOffset"
>;

/** MinIO's server on the data volume. */
export class Minio extends pulumi.ComponentResource {
  readonly service: Service;

  constructor(name: string, args: ServiceBase, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Minio", name, {}, opts);
    const { ground } = args;
    const { api, console } = inside.minio;
    this.service = new Service(
      "minio",
      {
        ...args,
        command: [
          ...["minio", "server", "--quiet", "--address", `:${api}`],
          ...["--console-address", `:${console}`, "/data"],
        ],
        envs: { MINIO_CONFIG_ENV_FILE: `${credentialsFolder}/minio.env` },
        mounts: [
          { volume: ground.data, path: "/data" },
          { volume: ground.credentials, path: credentialsFolder, readOnly: true },
        ],
        health: answers(api, "/minio/health/ready"),
        startSeconds: 120,
        stopSeconds: 15,
        facts: { endpoint: urlOf(args.portOffset, api) },
      },
      { parent: this, dependsOn: opts.dependsOn },
    );
    this.registerOutputs({});
  }
}
