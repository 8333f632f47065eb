import * as pulumi from "@pulumi/pulumi";
import type { DeclaredBucket, ObjectStore } from "../../../../../../infra/contracts/platform";
import { bucketsNamed } from "../../../../../../infra/settings/bucketNames";
import type { Settings } from "../../../../../../infra/settings/schema";
import { type KeptCredentials, step } from "../../../../../../infra/stack/step";
import { storeStep } from "../../../../../../infra/stores/access";

export interface AcmeStoreArgs {
  /** @example readSettings(pulumi.runtime.allConfig()) */
  readonly settings: Settings;
  /** @example new KeptCredentials("credentials", { settings, stack, generation }) */
  readonly credentials: KeptCredentials;
}

export class AcmeStore extends pulumi.ComponentResource implements ObjectStore {
  readonly endpoint = "https://s3.acme.example";
  readonly consoleUrl = "https://console.acme.example";
  readonly dataId = "acme 1";
  readonly ready: pulumi.Resource;
  readonly bucketNames;

  constructor(name: string, args: AcmeStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:acme:Store", name, {}, opts);
    const { settings, credentials } = args;
    this.bucketNames = bucketsNamed(settings.bucketPrefix, settings.bucketNames);
    // The step of store s3 keeps for scripts and jobs how the store is reached.
    const spec = {
      ...{ store: "acme", endpoint: this.endpoint, region: "eu-north-1", pathStyle: true },
      ...{ certificates: null, buckets: this.bucketNames, keys: credentials.generations.s3 },
      generation: "1",
    };
    const child = { parent: this, dependsOn: credentials.resource };
    this.ready = step(name, { kind: "s3-store", record: storeStep, spec }, child);
    this.registerOutputs({});
  }

  declareBucket = (
    owner: string,
    { bucket, prefixes }: DeclaredBucket,
    opts: pulumi.CustomResourceOptions,
  ) =>
    step(
      `${owner}-${bucket}`,
      { kind: "s3-bucket", spec: { bucket, prefixes, store: this.dataId } },
      opts,
    );
}
