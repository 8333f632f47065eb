import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { generation } from "../../stack/records";
import { step } from "../../stack/step";
import type { Settings } from "../../settings/schema";
import type { Daemon, DaemonInfo } from "./daemon";
import {
  generationOf,
  leftovers,
  recordedVolumes,
  settledNetwork,
  volumeGeneration,
  type Found,
} from "./inspect";
import { generationLabel, idLabel, names, stackLabel, type VolumePurpose } from "./names";

export interface GroundArgs {
  readonly stack: string;
  readonly id: pulumi.Output<string>;
  readonly settings: Settings;
  readonly daemon: Daemon;
  readonly info: DaemonInfo;
  readonly found: Found;
}

/**
 * What containers stand on: the network, the volumes, and the sweeper.
 *
 * Everything depends on the sweeper. As the first thing of an `up` it removes the containers that a
 * killed deployment left without a record; as the last thing of a `destroy` it removes all that
 * carries the stack's label. So network, volumes and images need no delete of their own.
 */
export class Ground extends pulumi.ComponentResource {
  readonly stack: string;
  /** The stack's id, which all that it has on the daemon carries as a label. */
  readonly id: pulumi.Output<string>;
  readonly found: Found;
  readonly provider: docker.Provider;
  readonly sweeper: pulumi.Resource;
  readonly network: docker.Network;
  /** MinIO's data. */
  readonly data: docker.Volume;
  /** Secrets, in files for the containers' user alone. */
  readonly credentials: docker.Volume;
  /** Scratch space of Spark's, Ray's and the jobs' files. */
  readonly scratch: docker.Volume;
  /** The user's own model, where the settings name one. */
  readonly model: docker.Volume | undefined;
  /** Numbers of the declared volumes: with another number it is another, empty volume. */
  readonly volumeGenerations: Readonly<Partial<Record<VolumePurpose, string>>>;
  readonly networkGeneration: string;
  /** Whether the daemon can look at a starting container more often than at one that runs. */
  readonly startInterval: boolean;

  constructor(name: string, args: GroundArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Ground", name, {}, opts);
    const { stack, id, settings, daemon, info, found } = args;
    this.stack = stack;
    this.id = id;
    this.found = found;
    this.startInterval = Number((info.ServerVersion ?? "").split(".")[0]) >= 25;
    const customModel = settings.modelPath !== undefined;
    this.volumeGenerations = generationsOf([
      ...(["minio-data", "credentials", "scratch"] as const),
      ...(customModel ? (["model"] as const) : []),
    ]);
    this.networkGeneration = generationOf(settledNetwork(stack), found.network);

    this.provider = new docker.Provider("docker", { host: daemon.host }, { parent: this });
    this.sweeper = makeSweeper(this);
    this.network = makeNetwork(this);
    this.data = makeVolume(this, "minio-data");
    this.credentials = makeVolume(this, "credentials");
    this.scratch = makeVolume(this, "scratch");
    this.model = customModel ? makeVolume(this, "model") : undefined;
    this.registerOutputs({});

    function generationsOf(purposes: VolumePurpose[]) {
      const recorded = recordedVolumes(stack);
      const there = (purpose: VolumePurpose) => found.volumes.get(names(stack).volume(purpose));
      return Object.fromEntries(
        purposes.map((purpose) => [purpose, volumeGeneration(there(purpose), recorded[purpose])]),
      );
    }

    function makeSweeper(parent: Ground) {
      const swept = () => leftovers(stack, settings.sparkWorkers, found).length === 0;
      return step(
        "sweeper",
        {
          kind: "docker-cleanup",
          spec: { id, generation: generation(stack, "sweeper", swept, "left containers") },
        },
        { parent },
      );
    }

    function makeNetwork(parent: Ground) {
      return new docker.Network(
        "network",
        {
          name: names(stack).network,
          driver: "bridge",
          labels: labels(parent, parent.networkGeneration),
        },
        { ...parent.standing(), deleteBeforeReplace: true },
      );
    }

    function makeVolume(parent: Ground, purpose: VolumePurpose) {
      return new docker.Volume(
        `volume-${purpose}`,
        {
          name: names(stack).volume(purpose),
          labels: labels(parent, parent.volumeGenerations[purpose]!),
        },
        { ...parent.standing(), deleteBeforeReplace: true },
      );
    }
  }

  /** Options of what goes when the sweeper goes. */
  standing(): pulumi.CustomResourceOptions {
    return {
      parent: this,
      provider: this.provider,
      dependsOn: this.sweeper,
      deletedWith: this.sweeper,
    };
  }
}

/** The labels of a thing: whose it is, and the how-many-eth. */
export function labels({ id, stack }: Pick<Ground, "id" | "stack">, generation: string) {
  return [
    { label: idLabel, value: id },
    { label: stackLabel, value: stack },
    { label: generationLabel, value: generation },
  ];
}
