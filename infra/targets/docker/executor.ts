import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Cluster, Executor } from "../../contracts/platform";
import type { ServiceLog, Services } from "../../contracts/target";
import { proxies } from "../../host/environment";
import { sparkSize } from "../../services";
import { ports } from "../../settings/ports";
import type { Settings } from "../../settings/schema";
import { readOwner } from "../../stack/owner";
import { storeAccess } from "../../stores/access";
import { resultOf } from "../processes";
import { Docker } from "./daemon";
import { inspect, names, steps, workerRoles, type Role } from "./inspect";
import { watchContainers } from "./memory";
import { paths, rayHeadAddress, sparkMasterUrl, storeEndpoint } from "./place";

/** What the step of `app` records; jobs get the rest from the run itself. */
export function appFacts({ rayCpus, sparkWorkers, sparkWorkerCores, ...settings }: Settings) {
  return {
    ...{ rayCpus, sparkWorkers, sparkWorkerCores },
    sparkWorkerMemory: sparkSize(settings.sparkWorkerMemory),
    modelFolder: settings.modelPath === undefined ? paths.model : paths.customModel,
  };
}

type AppFacts = ReturnType<typeof appFacts>;

/** Runs jobs in the containers of target `docker`, by `docker exec`. */
export function executor(stack: string): Executor {
  const docker = Docker.of(stack);
  const job = `${process.pid}-${randomBytes(4).toString("hex")}`;
  const scratch = `${paths.scratch}/jobs/${job}`;
  /** The container's id, which is the same thing as long as it is this container. */
  const container = (role: Role) => resultOf<{ id: string }>(stack, steps.ready(role)).id;

  return {
    async connection() {
      const facts = resultOf<AppFacts>(stack, steps.ready("app"));
      return {
        store: { ...storeAccess(stack), endpoint: storeEndpoint, pids: [] },
        spark: {
          master: sparkMasterUrl,
          jars: paths.jars,
          javaHome: paths.java,
          secretFile: `${paths.credentials}/spark-secret`,
          workerCores: facts.sparkWorkerCores,
          workerMemory: facts.sparkWorkerMemory,
          portBase: ports(0).sparkDriver[0],
        },
        ray: {
          address: rayHeadAddress,
          tokenFile: `${paths.credentials}/ray-token`,
          cpus: facts.rayCpus,
        },
        model: { path: `${facts.modelFolder}/model.onnx` },
        services: [],
        scratch,
      };
    },

    limitsMemory: true,

    start(cluster, mayDownload) {
      const passed = mayDownload ? Object.keys(proxies()).flatMap((name) => ["--env", name]) : [];
      const bash = [container(placeOf(cluster)), "bash", "-c", leader, "job", scratch];
      return docker.start(["exec", "--interactive", ...passed, ...bash]);
    },

    async collect(folder, make) {
      const app = container("app");
      const made = `${paths.scratch}/made/${job}`;
      const part = `${folder}.${process.pid}.part`;
      docker.run(["exec", app, "mkdir", "-p", path.posix.dirname(made)]);
      try {
        await make(made, `${paths.scratch}/downloads`);
        fs.rmSync(part, { recursive: true, force: true });
        fs.mkdirSync(path.dirname(folder), { recursive: true });
        docker.run(["cp", `${app}:${made}`, part]);
        fs.rmSync(folder, { recursive: true, force: true });
        fs.renameSync(part, folder);
      } finally {
        docker.try(["exec", app, "rm", "-rf", made]);
        fs.rmSync(part, { recursive: true, force: true });
      }
    },

    watch(cluster) {
      const { sparkWorkers } = resultOf<AppFacts>(stack, steps.ready("app"));
      const counted = belongsTo(cluster, sparkWorkers).map(container);
      return watchContainers(docker, counted, container("minio"));
    },
  };
}

/**
 * Where jobs run: Ray's drivers beside the head, because Ray Client is not reliable, everything else
 * in `app`.
 */
export function placeOf(cluster: Cluster): Role {
  return cluster === "ray" ? "ray-head" : "app";
}

/** The containers whose memory and CPU count as the engine's, the job's own one included. */
export function belongsTo(cluster: Cluster, sparkWorkers: number): Role[] {
  if (cluster === "ray") return ["ray-head", "ray-worker"];
  return cluster === "spark" ? ["app", "spark-master", ...workerRoles(sparkWorkers)] : ["app"];
}

/** The job's folder exists while its leader lives, which is as long as its stdin is open. */
const leader = [
  'mkdir -p -m 700 "$1"',
  "trap 'rm -rf \"$1\"' EXIT",
  "python -m engine_comparison.leader",
].join("\n");

export const services: Services = {
  async status(stack) {
    const all = [...containersOf(stack)].map(([name, { status }]) => ({ name, state: status }));
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  },

  shell(stack) {
    const terminal = process.stdin.isTTY ? "-it" : "-i";
    return docker(stack, ["exec", terminal, names(stack).container("app"), "bash"]);
  },

  logs(stack) {
    const log = (name: string): ServiceLog => ({
      command: (lines, follow) =>
        docker(stack, ["logs", "--tail", String(lines), ...(follow ? ["--follow"] : []), name]),
    });
    return new Map([...containersOf(stack).keys()].map((name) => [name, log(name)]));
  },
};

function containersOf(stack: string) {
  return inspect(Docker.of(stack), readOwner(stack)?.id).containers;
}

function docker(stack: string, args: readonly string[]): ChildProcess {
  return spawn("docker", args, { env: Docker.of(stack).environment, stdio: "inherit" });
}
