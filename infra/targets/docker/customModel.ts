import * as pulumi from "@pulumi/pulumi";
import { modelIdentity } from "../../toolchain/modelIdentity";
import type { Settings } from "../../settings/schema";
import { step } from "../../stack/step";
import { modelStep } from "./inspect";
import type { Ground } from "./ground";

export interface OwnModelArgs {
  readonly ground: Ground;
  readonly settings: Settings;
  /** An image with bash, to write into the volume with. */
  readonly image: pulumi.Input<string>;
  readonly imageReady: pulumi.Resource;
}

/**
 * Copies the user's own model into a volume that the engines' containers read it from.
 *
 * @returns the step; undefined where the settings name no model, and the image's own is taken
 */
export function ownModel(args: OwnModelArgs): pulumi.Resource | undefined {
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
