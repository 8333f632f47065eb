import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../settings";
import { printed, step } from "../step";
import type { Observed } from "./observe";

export interface CredentialsArgs {
  readonly settings: Pick<Settings, "minioRootUser" | "minioRootPassword">;
  readonly stack: string;
  readonly observed: Observed;
}

/** The credentials that everybody knows, for the stacks that people try things with. */
const wellKnown = "minioadmin";
const stacksWithWellKnown = ["local", "dev"];

/**
 * What MinIO's root user is called and identified by; undefined means a random value that is made
 * once and kept.
 */
export function givenCredentials({ settings, stack }: Omit<CredentialsArgs, "observed">) {
  const fallback = stacksWithWellKnown.includes(stack) ? wellKnown : undefined;
  const { minioRootUser = fallback, minioRootPassword = fallback } = settings;
  return { minioRootUser, minioRootPassword };
}

/** The stack's secrets, in files for its user alone; they travel by the step's stdin. */
export class Credentials extends pulumi.ComponentResource {
  readonly resource: pulumi.Resource;
  /** How often they changed: an input of what has to restart then. */
  readonly generation: pulumi.Output<number>;

  constructor(name: string, args: CredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:Credentials", name, {}, opts);
    const kept = step(
      "credentials",
      {
        script: "infra/local/steps/credentials.ts",
        spec: { incarnation: args.observed.incarnation("credentials") },
        stdin: pulumi.secret(JSON.stringify(givenCredentials(args))),
      },
      { parent: this },
    );
    this.resource = kept;
    this.generation = pulumi
      .unsecret(printed<{ generation: number }>(kept))
      .apply(({ generation }) => generation);
    this.registerOutputs();
  }
}
