import * as pulumi from "@pulumi/pulumi";
import type { ObjectStore } from "../../contracts/platform";
import { step } from "../../stack/step";
import type { Inspected } from "../../stack/records";
import type { ports } from "../../settings/ports";
import type { Supervisor } from "./supervisor";
import type { Tool } from "../../toolchain/toolchain";

export interface MinioArgs {
  readonly supervisor: Supervisor;
  readonly binary: Tool;
  readonly observed: Inspected;
  readonly ports: ReturnType<typeof ports>["minio"];
}

/** The object store: MinIO on one drive in the stack folder, at the loopback interface. */
export class Minio extends pulumi.ComponentResource implements ObjectStore {
  readonly endpoint: string;
  readonly consoleUrl: string;
  readonly marker: string;
  readonly ready: pulumi.Resource;
  readonly data: pulumi.Resource;

  constructor(name: string, args: MinioArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:Minio", name, {}, opts);
    const { supervisor, binary, observed, ports } = args;
    const child = { parent: this };
    this.endpoint = `http://127.0.0.1:${ports.api}`;
    this.consoleUrl = `http://127.0.0.1:${ports.console}`;
    const generation = observed.generation("minio-data");
    this.marker = String(generation);

    this.data = step("minio-data", { kind: "local-minio-data", spec: { generation } }, child);
    this.ready = supervisor.service(
      "minio",
      {
        kind: "local-minio",
        secret: "minio",
        spec: { ports, binary: binary.identity, data: this.marker },
        dependsOn: [this.data, binary.resource],
      },
      child,
    );
    this.registerOutputs({ endpoint: this.endpoint, consoleUrl: this.consoleUrl });
  }
}
