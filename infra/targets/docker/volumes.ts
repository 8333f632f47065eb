import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../settings/schema";
import { readCredentials, type Generations } from "../../stack/credentials";
import { KeptCredentials, step } from "../../stack/step";
import { generation } from "../../stack/records";
import { modelIdentity } from "../../toolchain/locks";
import { groundStep, modelStep } from "./inspect";
import type { Ground } from "./ground";
import { inside, urlOf } from "./place";

export interface CredentialsArgs {
  readonly ground: Ground;
  readonly settings: Settings;
  /** An image with bash, to write into the volume with. */
  readonly image: pulumi.Input<string>;
  readonly imageReady: pulumi.Resource;
}

/**
 * The stack's secrets: kept in files of this user, and copied by a container that lives for a moment
 * into a volume that only the services' user can read. So `docker inspect`, the state, previews and
 * process lists show none; whoever may use Docker or is root can read them, as anything on this machine.
 */
export class Credentials extends pulumi.ComponentResource {
  /** Each rises when its secret changes. */
  readonly generations: pulumi.Output<Generations>;
  /** Stands when the volume has the files. */
  readonly placed: pulumi.Resource;

  constructor(name: string, args: CredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Credentials", name, {}, opts);
    const { ground, settings } = args;
    const { stack } = ground;
    const there = () => readCredentials(stack) !== undefined;
    const kept = new KeptCredentials(
      "credentials",
      { settings, stack, generation: generation(stack, "credentials", there) },
      { parent: this },
    );
    this.generations = kept.generations;
    this.placed = step(
      groundStep,
      {
        kind: "docker-credentials",
        spec: {
          generations: this.generations,
          volume: ground.credentials.name,
          image: args.image,
          network: ground.network.id,
          volumes: ground.volumeGenerations,
          consoleUrl: urlOf(settings.portOffset, inside.minio.console),
          generation: ground.networkGeneration,
        },
      },
      { parent: this, dependsOn: args.imageReady, deletedWith: ground.sweeper },
    );
    this.registerOutputs({});
  }
}

export interface CustomModelArgs {
  readonly ground: Ground;
  readonly settings: Settings;
  /** An image with bash, to write into the volume with. */
  readonly image: pulumi.Input<string>;
  readonly imageReady: pulumi.Resource;
}

/**
 * Copies the user's custom model into a volume that the engines' containers read it from.
 *
 * @returns the step; undefined where the settings name no model, and the image's own is taken
 */
export function customModel(args: CustomModelArgs): pulumi.Resource | undefined {
  const { ground, settings } = args;
  if (!ground.model) return undefined;
  return step(
    modelStep,
    {
      kind: "docker-model",
      spec: {
        model: modelIdentity(settings),
        modelPath: settings.modelPath,
        volume: ground.model.name,
        generation: ground.volumeGenerations.model,
        image: args.image,
      },
    },
    { parent: ground, dependsOn: args.imageReady, deletedWith: ground.sweeper },
  );
}
