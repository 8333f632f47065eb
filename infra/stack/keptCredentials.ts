import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../settings/schema";
import { printed, step } from "./step";
import type { Generations } from "./credentials";

/** The credentials that everybody knows, for the stacks that people try things with. */
const wellKnown = "minioadmin";
const stacksWithWellKnown = ["local", "dev"];

type Given = Pick<Settings, "minioRootUser" | "minioRootPassword"> &
  Partial<Pick<Settings, "s3AccessKey" | "s3SecretKey" | "sparkSecret" | "rayToken">>;

/**
 * What MinIO's root user is called and identified by, where undefined means a random value that is
 * made once and kept, and the secrets of a store and of clusters that are not the stack's own.
 */
export function givenCredentials(settings: Given, stack: string): Given {
  const fallback = stacksWithWellKnown.includes(stack) ? wellKnown : undefined;
  const { minioRootUser = fallback, minioRootPassword = fallback } = settings;
  const { s3AccessKey, s3SecretKey, sparkSecret, rayToken } = settings;
  const others = { s3AccessKey, s3SecretKey, sparkSecret, rayToken };
  return { minioRootUser, minioRootPassword, ...others };
}

export interface KeptCredentialsArgs {
  readonly settings: Given;
  readonly stack: string;
  readonly generation: string;
}

/** The stack's secrets, in files for its user alone; they travel by the step's stdin. */
export class KeptCredentials extends pulumi.ComponentResource {
  readonly resource: pulumi.Resource;
  /** How often each changed: an input of what has to restart then. */
  readonly generations: pulumi.Output<Generations>;

  constructor(name: string, args: KeptCredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:stack:KeptCredentials", name, {}, opts);
    const { settings, stack, generation } = args;
    const kept = step(
      "credentials",
      {
        kind: "credentials",
        spec: { generation },
        stdin: pulumi.secret(JSON.stringify(givenCredentials(settings, stack))),
      },
      { parent: this },
    );
    this.resource = kept;
    this.generations = pulumi
      .unsecret(printed<{ generations: Generations }>(kept))
      .apply(({ generations }) => generations);
    this.registerOutputs();
  }
}
