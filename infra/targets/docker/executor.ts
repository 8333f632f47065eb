import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Cluster, Executor } from "../../contracts/platform";
import { storeAccess } from "../../stores/access";
import { ports } from "../../settings/ports";
import { proxyVariables } from "../../host/environment";
import { readStepRecord } from "../../stack/records";
import { UserError } from "../../contracts/errors";
import { Docker } from "./daemon";
import { modelStep, readyStep } from "./inspect";
import {
  credentialsFolder,
  imagePaths,
  customModelFolder,
  rayHeadAddress,
  scratchFolder,
  sparkMasterUrl,
  storeEndpoint,
} from "./place";
import { watchContainers } from "./memory";
import type { Role } from "./names";

/** What the step of `app` records; jobs are told the rest by the run itself. */
interface AppFacts {
  readonly rayCpus: number;
  readonly gpus: number;
  readonly sparkWorkers: number;
  readonly sparkWorkerCores: number;
  readonly sparkWorkerMemory: string;
  readonly modelFolder: string;
}

/** Runs jobs in the containers of target `docker`, by `docker exec`. */
export function dockerExecutor(stack: string): Executor {
  const docker = Docker.of(stack);
  const job = `${process.pid}-${randomBytes(4).toString("hex")}`;
  const scratch = `${scratchFolder}/jobs/${job}`;

  /** The container's id, which is the same thing as long as it is this container. */
  function container(role: Role): string {
    return String(recorded<{ id: string }>(stack, role).id);
  }

  return {
    async connection() {
      const facts = recorded<AppFacts>(stack, "app");
      return {
        store: { ...storeAccess(stack), endpoint: storeEndpoint, pids: [] },
        spark: {
          master: sparkMasterUrl,
          jars: imagePaths.jars,
          javaHome: imagePaths.java,
          secretFile: `${credentialsFolder}/spark-secret`,
          workers: facts.sparkWorkers,
          workerCores: facts.sparkWorkerCores,
          workerMemory: facts.sparkWorkerMemory,
          portBase: ports(0).sparkDriver[0],
        },
        ray: {
          address: rayHeadAddress,
          tokenFile: `${credentialsFolder}/ray-token`,
          cpus: facts.rayCpus,
          gpus: facts.gpus,
        },
        model: modelIn(stack, facts.modelFolder),
        services: [],
        scratch,
      };
    },

    start(cluster, mayDownload) {
      return docker.start([
        "exec",
        "--interactive",
        ...(mayDownload ? proxyVariables().flatMap((name) => ["--env", name]) : []),
        container(placeOf(cluster)),
        "bash",
        "-c",
        leader,
        "job",
        scratch,
      ]);
    },

    async collect(folder, make) {
      const app = container("app");
      const made = `${scratchFolder}/made/${job}`;
      const part = `${folder}.${process.pid}.part`;
      docker.run(["exec", app, "mkdir", "-p", path.posix.dirname(made)]);
      try {
        await make(made, `${scratchFolder}/downloads`);
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
      const { sparkWorkers } = recorded<AppFacts>(stack, "app");
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
  const workers = Array.from({ length: sparkWorkers }, (_, n) => `spark-worker-${n + 1}` as const);
  switch (cluster) {
    case "ray":
      return ["ray-head", "ray-worker"];
    case "spark":
      return ["app", "spark-master", ...workers];
    case "none":
      return ["app"];
  }
}

/** The job's folder is there while its leader lives, which is as long as somebody holds its stdin. */
const leader = [
  'mkdir -p -m 700 "$1"',
  "trap 'rm -rf \"$1\"' EXIT",
  "python -m engine_comparison.leader",
].join("\n");

/** The image's model has labels; the user's own one has them if a file lay beside it. */
function modelIn(stack: string, folder: string): { path: string; labels: string | null } {
  const own = folder === customModelFolder;
  const hasLabels = !own || readStepRecord(stack, modelStep)?.result.labels === true;
  return {
    path: `${folder}/model.onnx`,
    labels: hasLabels ? `${folder}/labels.json` : null,
  };
}

/** What the step that saw the role's container become ready recorded. */
function recorded<T>(stack: string, role: Role): T {
  const standing = readStepRecord(stack, readyStep(role));
  if (!standing) {
    throw new UserError(
      `container ${role} of stack ${stack} does not stand`,
      "the job needs it",
      "run npm start -- --stack <name> (or pulumi up) first",
    );
  }
  return standing.result as T;
}
