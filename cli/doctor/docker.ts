import {
  checkSameDaemon,
  daemonHost,
  daemonInfo,
  Docker,
  recordedDaemon,
  type Daemon,
  type DaemonInfo,
} from "../../infra/targets/docker/daemon";
import { checkNames, find } from "../../infra/targets/docker/inspect";
import { checkSizes } from "../../infra/targets/docker/sizes";
import type { Settings } from "../../infra/settings/schema";
import { UserError } from "../../infra/contracts/errors";
import { check, errorsOf, isDocker, type Check } from "./check";
import { isOlder } from "./version";

const leastDocker = "20.10";

/** What a daemon says of itself, and which one the stack was made on. */
export interface DaemonSeen {
  readonly host: string;
  readonly info: DaemonInfo;
  readonly recorded?: Daemon;
}

export function unfitDaemon(
  { host, info, recorded }: DaemonSeen,
  settings: Settings,
  stack: string,
): UserError[] {
  const version = info.ServerVersion ?? "0";
  return [
    ...(isOlder(version, leastDocker)
      ? [
          new UserError(
            `the Docker daemon at ${host} is ${version}, and ${leastDocker} or later is needed`,
            "the provider speaks with it in a newer protocol",
            "upgrade Docker: https://docs.docker.com/engine/install/",
          ),
        ]
      : []),
    ...(info.OSType !== undefined && info.OSType !== "linux"
      ? [
          new UserError(
            `the Docker daemon at ${host} runs ${info.OSType} containers`,
            "all images are Linux images",
            "switch Docker Desktop to Linux containers",
          ),
        ]
      : []),
    ...errorsOf(() => checkSameDaemon(stack, recorded, { host, id: info.ID ?? "" })),
    ...errorsOf(() =>
      checkSizes(settings, { cpus: info.NCPU ?? 1, memoryBytes: info.MemTotal ?? 0 }),
    ),
  ];
}

export const dockerChecks: readonly Check[] = [
  check({
    id: "docker",
    name: "the Docker daemon answers and has room for the containers",
    applies: isDocker,
    observe: ({ stack }) => {
      const host = daemonHost();
      return { host, info: daemonInfo(host), recorded: recordedDaemon(stack) };
    },
    judge: (seen, { settings, stack }) => unfitDaemon(seen, settings, stack),
  }),
  {
    id: "names",
    name: "no container of somebody else has a name of the stack's",
    applies: isDocker,
    after: ["docker"],
    look: async ({ stack, settings }) => {
      const docker = Docker.of(stack);
      checkNames(docker, stack, settings.sparkWorkers, find(docker, stack));
      return [];
    },
  },
];
