import { generationNumber, nextGeneration, readStepRecord } from "../../stack/records";
import type { Docker } from "./daemon";

/** The roles of containers, which are also their names inside the network. */
export type Role =
  "minio" | "spark-master" | `spark-worker-${number}` | "ray-head" | "ray-worker" | "app";

/** More Spark workers than a stack may have. */
export const maxWorkers = 16;

/** Every role of a stack, in the order in which they become ready. */
export function roles(sparkWorkers: number): Role[] {
  return ["minio", "spark-master", ...workerRoles(sparkWorkers), "ray-head", "ray-worker", "app"];
}

export function workerRoles(sparkWorkers: number): Role[] {
  return Array.from({ length: sparkWorkers }, (_, n) => `spark-worker-${n + 1}` as const);
}

export const labels = {
  /** The stack's id, by which all is found and removed. */
  id: "engine-comparison.id",
  /** The stack's name, for people: other homes and users may have a stack of this name. */
  stack: "engine-comparison.stack",
  /** How often a thing was made; see {@link generationOf}. */
  generation: "engine-comparison.generation",
} as const;

export const volumePurposes = ["minio-data", "credentials", "scratch", "model"] as const;
export type VolumePurpose = (typeof volumePurposes)[number];

/** The names of what a stack has on the daemon: the seed's on stack `dev`, else with the stack's name. */
export function names(stack: string) {
  const isSeed = stack === "dev";
  const network = isSeed ? "engine-comparison" : `engine-comparison-${stack}`;
  const own = (name: string) => (isSeed ? name : `${stack}-${name}`);
  return {
    network,
    container: (role: Role) => own(role),
    volume: (purpose: VolumePurpose) => `${network}-${purpose}`,
    image: (image: string, hash: string) => `engine-comparison/${own(image)}:${hash}`,
  } as const;
}

/** A container or network, by its id on the daemon and its {@link generationOf | generation}. */
interface Recorded {
  readonly id: string;
  readonly generation: string;
}

/** A container of a stack as it is on the daemon. */
interface ExistingContainer extends Recorded {
  readonly running: boolean;
  /** In Docker's words, e.g. `Up 5 minutes (healthy)`. */
  readonly status: string;
}

export interface Existing {
  readonly containers: ReadonlyMap<string, ExistingContainer>;
  readonly network: Recorded | undefined;
  /** Generations of volumes. */
  readonly volumes: ReadonlyMap<string, string>;
}

/** Rows of a list of Docker's. @param fields as its templates name them */
function rows(docker: Docker, list: readonly string[], fields: readonly string[]): string[][] {
  const format = fields.map((field) => `{{${field}}}`).join("\t");
  const lines = docker.run([...list, "--format", format]).split("\n");
  return lines.filter(Boolean).map((line) => line.split("\t"));
}

/**
 * Looks at what a stack has on the daemon.
 *
 * @param id the stack's id; undefined before its first up, when it has nothing
 */
export function inspect(docker: Docker, id: string | undefined): Existing {
  if (id === undefined) return { containers: new Map(), network: undefined, volumes: new Map() };
  const own = ["--filter", `label=${labels.id}=${id}`];
  const label = `.Label "${labels.generation}"`;
  const ps = ["ps", "--all", "--no-trunc", ...own];
  const containers = rows(docker, ps, [".Names", ".ID", ".State", label, ".Status"]);
  const [network] = rows(docker, ["network", "ls", "--no-trunc", ...own], [".ID", label]);
  const volumes = rows(docker, ["volume", "ls", ...own], [".Name", label]);
  return {
    containers: new Map(
      containers.map(([name, id, state, generation, status]) => [
        name,
        { id, running: state === "running", generation, status },
      ]),
    ),
    network: network && { id: network[0], generation: network[1] },
    volumes: new Map(volumes as [string, string][]),
  };
}

/** What the target's steps are recorded as. */
export const steps = {
  /** Sees a role's container become healthy, and records it. */
  ready: (role: Role) => `${role}-ready`,
  /** Records the network and the volumes: the first that uses them. */
  base: "container-credentials",
  /** Copies the user's custom model. */
  model: "container-model",
};

export function recordedContainer(stack: string, role: Role): Recorded | undefined {
  const record = readStepRecord(stack, steps.ready(role));
  return record && { id: String(record.result.id), generation: record.generation };
}

/** The network and the generations of the volumes, as they existed last. */
export function recordedBase(stack: string): {
  readonly network?: Recorded;
  readonly volumes: Partial<Record<VolumePurpose, string>>;
} {
  const record = readStepRecord(stack, steps.base);
  if (!record) return { volumes: {} };
  const { network: id, volumes = {} } = record.result as { network: string; volumes?: object };
  return { network: { id, generation: record.generation }, volumes };
}

/**
 * The generation to give to a container or network, as a label that replaces the thing when it
 * changes.
 *
 * It stays while the recorded one exists and runs. It rises when that one is gone or stopped, and
 * when there is one that nobody recorded: made by a deployment that was killed before it could say
 * so, and maybe unknown to Pulumi.
 */
export function generationOf(
  recorded: Recorded | undefined,
  existing: (Recorded & { readonly running?: boolean }) | undefined,
): string {
  if (!recorded && !existing) return "1";
  const same = recorded?.id === existing?.id;
  if (recorded && same && existing?.running !== false) return recorded.generation;
  const numbers = [recorded, existing].map((each) => generationNumber(each?.generation));
  const why = !existing ? "was removed" : same ? "stopped" : "lost its record";
  return nextGeneration(Math.max(...numbers), why);
}

/**
 * The generation to give to a volume. One that exists stays what it is, whoever made it, because
 * data is in it; one that was lost gets the next.
 *
 * @param recorded the generation of the volume that existed last, if it is known
 */
export function volumeGeneration(existing?: string, recorded?: string): string {
  return existing ?? (recorded === undefined ? "1" : nextGeneration(recorded, "was lost"));
}

/** Containers that exist although no step recorded them: the cleanup removes them. */
export function orphans(stack: string, existing: Existing): string[] {
  const recorded = new Set(roles(maxWorkers).map((role) => recordedContainer(stack, role)?.id));
  return [...existing.containers].filter(([, { id }]) => !recorded.has(id)).map(([name]) => name);
}

export type Foreign = ReturnType<typeof takenNames>[number];

/**
 * What has the names of the stack's containers, network and volumes, and is not the stack's: Docker
 * would hand out another stack's volume, with its data, as if it were new.
 */
export function takenNames(docker: Docker, stack: string, sparkWorkers: number, own?: string) {
  const { network, container, volume } = names(stack);
  const list = (kind: string, args: string[], field: string, wanted: string[]) =>
    rows(docker, args, [field, `.Label "${labels.id}"`])
      // The id is of the stack that made it; empty where none did.
      .map(([name, id = ""]) => ({ kind, name, id }))
      .filter(({ name, id }) => wanted.includes(name) && id !== own);
  return [
    ...list("container", ["ps", "--all"], ".Names", roles(sparkWorkers).map(container)),
    ...list("network", ["network", "ls"], ".Name", [network]),
    ...list("volume", ["volume", "ls"], ".Name", volumePurposes.map(volume)),
  ];
}

/** What is read of `docker inspect`. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  /** How often Docker started it again by itself. */
  readonly RestartCount: number;
  readonly State: {
    /** e.g. `running`, `exited` */
    readonly Status: string;
    /** Whether the kernel ended its first process because its memory was used up. */
    readonly OOMKilled: boolean;
    readonly ExitCode: number;
  };
  readonly HostConfig: {
    readonly Memory: number;
    readonly ShmSize: number;
    readonly Runtime?: string;
    readonly DeviceRequests?: readonly unknown[] | null;
  };
}

export type Container = ReturnType<typeof withRoles>[number];

export function withRoles(all: readonly Inspected[], stack: string) {
  return roles(maxWorkers).flatMap((role) => {
    const name = names(stack).container(role);
    return all.filter(({ Name }) => Name === `/${name}`).map((one) => ({ ...one, name, role }));
  });
}
