import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { incarnation } from "../../stack/records";
import { step } from "../../stack/step";
import type { Settings } from "../../settings/schema";
import type { Daemon, DaemonInfo } from "./daemon";
import {
  incarnationOf,
  leftovers,
  recordedVolumes,
  settledNetwork,
  volumeIncarnation,
  type Found,
} from "./inspect";
import { incarnationLabel, names, stackLabel, type VolumePurpose } from "./names";

export interface GroundArgs {
  readonly stack: string;
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
  readonly volumeIncarnations: Readonly<Partial<Record<VolumePurpose, number>>>;
  readonly networkIncarnation: number;
  /** Whether the daemon can look at a starting container more often than at one that runs. */
  readonly startInterval: boolean;

  constructor(name: string, args: GroundArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Ground", name, {}, opts);
    const { stack, settings, daemon, info, found } = args;
    this.stack = stack;
    this.found = found;
    this.startInterval = Number((info.ServerVersion ?? "").split(".")[0]) >= 25;
    const ownModel = settings.modelPath !== undefined;
    this.volumeIncarnations = incarnationsOf([
      ...(["minio-data", "credentials", "scratch"] as const),
      ...(ownModel ? (["model"] as const) : []),
    ]);
    this.networkIncarnation = incarnationOf(settledNetwork(stack), found.network);

    this.provider = new docker.Provider("docker", { host: daemon.host }, { parent: this });
    this.sweeper = makeSweeper(this);
    this.network = makeNetwork(this);
    this.data = makeVolume(this, "minio-data");
    this.credentials = makeVolume(this, "credentials");
    this.scratch = makeVolume(this, "scratch");
    this.model = ownModel ? makeVolume(this, "model") : undefined;
    this.registerOutputs({});

    function incarnationsOf(purposes: VolumePurpose[]) {
      const recorded = recordedVolumes(stack);
      const there = (purpose: VolumePurpose) => found.volumes.get(names(stack).volume(purpose));
      return Object.fromEntries(
        purposes.map((purpose) => [purpose, volumeIncarnation(there(purpose), recorded[purpose])]),
      );
    }

    function makeSweeper(parent: Ground) {
      const swept = () => leftovers(stack, settings.sparkWorkers, found).length === 0;
      return step(
        "sweeper",
        {
          kind: "docker-cleanup",
          spec: { incarnation: incarnation(stack, "sweeper", swept) },
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
          labels: labels(stack, parent.networkIncarnation),
        },
        { ...parent.standing(), deleteBeforeReplace: true },
      );
    }

    function makeVolume(parent: Ground, purpose: VolumePurpose) {
      return new docker.Volume(
        `volume-${purpose}`,
        {
          name: names(stack).volume(purpose),
          labels: labels(stack, parent.volumeIncarnations[purpose]!),
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
export function labels(stack: string, incarnation: number) {
  return [
    { label: stackLabel, value: stack },
    { label: incarnationLabel, value: String(incarnation) },
  ];
}
