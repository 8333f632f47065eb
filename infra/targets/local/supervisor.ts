import * as pulumi from "@pulumi/pulumi";
import { step, type StepSpec } from "../../stack/step";
import type { SecretOwner } from "../../stack/credentials";
import type { KeptCredentials } from "../../stack/keptCredentials";
import type { Inspected } from "../../stack/records";
import type { Tool } from "../../toolchain/toolchain";

export interface SupervisorArgs {
  readonly python: Tool;
  readonly credentials: KeptCredentials;
  readonly observed: Inspected;
}

/** A service to run under the supervisor. */
export interface ServiceArgs {
  /** The kind of step, e.g. `local-minio`. */
  readonly kind: string;
  readonly spec: StepSpec;
  /** Whose secret it is protected by. */
  readonly secret: SecretOwner;
  readonly dependsOn?: pulumi.Resource[];
}

/** The stack's supervisord, which starts its services again when they die. */
export class Supervisor extends pulumi.ComponentResource {
  private readonly resource: pulumi.Resource;
  private readonly identity: string;

  constructor(
    name: string,
    private readonly args: SupervisorArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("engine-comparison:local:Supervisor", name, {}, opts);
    const generation = args.observed.generation("supervisor");
    const python = args.python.identity;
    this.identity = `${generation}.${python}`;
    this.resource = step(
      "supervisor",
      { kind: "local-supervisor", spec: { generation, python } },
      { parent: this, dependsOn: args.python.resource },
    );
    this.registerOutputs();
  }

  /**
   * Declares a service. It starts again when its spec, the supervisor or its secret change,
   * and when it is found dead.
   */
  service(name: string, service: ServiceArgs, opts: { parent: pulumi.Resource }): pulumi.Resource {
    const { credentials, observed } = this.args;
    const { kind, spec, secret, dependsOn = [] } = service;
    return step(
      name,
      {
        kind,
        spec: {
          ...spec,
          generation: observed.generation(name),
          supervisor: this.identity,
          credentials: credentials.generations[secret],
        },
      },
      { ...opts, dependsOn: [this.resource, credentials.resource, ...dependsOn] },
    );
  }
}
