import { generationNumber, nextGeneration, readStepRecord } from "../../stack/records";
import { UserError } from "../../contracts/errors";
import type { Docker } from "./daemon";
import {
  generationLabel,
  idLabel,
  names,
  roles,
  volumePurposes,
  type Role,
  type VolumePurpose,
} from "./names";

/** A container of a stack as it is on the daemon. */
export interface FoundContainer {
  readonly id: string;
  readonly running: boolean;
  readonly generation: string;
  /** In Docker's words, e.g. `Up 5 minutes (healthy)`. */
  readonly status: string;
}

/** What a stack has on the daemon, by name. */
export interface Found {
  readonly containers: ReadonlyMap<string, FoundContainer>;
  readonly network: { readonly id: string; readonly generation: string } | undefined;
  /** Generations of volumes. */
  readonly volumes: ReadonlyMap<string, string>;
}

/** What the step that saw a thing stand recorded. */
export interface Settled {
  readonly id: string;
  readonly generation: string;
}

/**
 * Looks at what a stack has on the daemon.
 *
 * @param id the stack's id; undefined before its first up, when it has nothing
 */
export function find(docker: Docker, id: string | undefined): Found {
  if (id === undefined) return { containers: new Map(), network: undefined, volumes: new Map() };
  const labelled = ["--filter", `label=${idLabel}=${id}`];
  const format = (...fields: string[]) => [
    "--format",
    fields.map((field) => `{{${field}}}`).join("\t"),
  ];
  const label = `.Label "${generationLabel}"`;
  const rows = (text: string) =>
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split("\t"));
  const containers = rows(
    docker.run([
      "ps",
      "--all",
      "--no-trunc",
      ...labelled,
      ...format(".Names", ".ID", ".State", label, ".Status"),
    ]),
  );
  const [network] = rows(
    docker.run(["network", "ls", "--no-trunc", ...labelled, ...format(".ID", label)]),
  );
  const volumes = rows(docker.run(["volume", "ls", ...labelled, ...format(".Name", label)]));
  return {
    containers: new Map(
      containers.map(([name, id, state, generation, status]) => [
        name,
        {
          id,
          running: state === "running",
          generation,
          status,
        },
      ]),
    ),
    network: network && { id: network[0], generation: network[1] },
    volumes: new Map(volumes.map(([name, generation]) => [name, generation])),
  };
}

/** The name of the step that sees a role's container become healthy, and records it. */
export function readyStep(role: Role): string {
  return `${role}-ready`;
}

/** The name of the step that records the network and the volumes: the first that uses them. */
export const groundStep = "container-credentials";

/** The name of the step that copies the user's own model. */
export const modelStep = "container-model";

/** What is recorded about a role's container. */
export function settledContainer(stack: string, role: Role): Settled | undefined {
  const standing = readStepRecord(stack, readyStep(role));
  return standing && { id: String(standing.result.id), generation: standing.generation };
}

/** What is recorded about the network. */
export function settledNetwork(stack: string): Settled | undefined {
  const standing = readStepRecord(stack, groundStep);
  return standing && { id: String(standing.result.network), generation: standing.generation };
}

/** Numbers of the volumes that were there last. */
export function recordedVolumes(stack: string): Partial<Record<VolumePurpose, string>> {
  return readStepRecord(stack, groundStep)?.result.volumes ?? {};
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
  settled: Settled | undefined,
  found:
    { readonly id: string; readonly generation: string; readonly running?: boolean } | undefined,
): string {
  if (!settled && !found) return "1";
  const same = settled?.id === found?.id;
  if (settled && same && found?.running !== false) return settled.generation;
  const last = Math.max(generationNumber(settled?.generation), generationNumber(found?.generation));
  return nextGeneration(last, !found ? "was removed" : same ? "stopped" : "lost its record");
}

/**
 * The generation to give to a volume. One that exists stays what it is, whoever made it, because
 * data is in it; one that was lost gets the next.
 *
 * @param recorded the generation of the volume that existed last, if it is known
 */
export function volumeGeneration(found: string | undefined, recorded: string | undefined): string {
  return found ?? (recorded === undefined ? "1" : nextGeneration(recorded, "was lost"));
}

/** Containers that are there although nothing recorded them: the sweeper removes them. */
export function leftovers(stack: string, sparkWorkers: number, found: Found): string[] {
  const settled = new Set(
    roles(Math.max(sparkWorkers, 16)).map((role) => settledContainer(stack, role)?.id),
  );
  return [...found.containers].filter(([, { id }]) => !settled.has(id)).map(([name]) => name);
}

/**
 * Checks that nobody else's containers, network or volumes have the stack's names: Docker would hand
 * out another stack's volume, with its data, as if it were new.
 *
 * @throws UserError that names them, and whose they are
 */
export function checkNames(
  docker: Docker,
  stack: string,
  sparkWorkers: number,
  found: Found,
): void {
  const own = names(stack);
  const taken = [
    ...foreign(docker, "container", ["ps", "--all"], ".Names", [
      ...roles(sparkWorkers).map((role) => own.container(role)),
    ]).filter(({ name }) => !found.containers.has(name)),
    ...(found.network ? [] : foreign(docker, "network", ["network", "ls"], ".Name", [own.network])),
    ...foreign(docker, "volume", ["volume", "ls"], ".Name", volumePurposes.map(own.volume)).filter(
      ({ name }) => !found.volumes.has(name),
    ),
  ];
  if (taken.length === 0) return;
  const ids = [...new Set(taken.map(({ id }) => id).filter(Boolean))];
  throw new UserError(
    `the Docker daemon has ${taken.map(({ kind, name }) => `${kind} ${name}`).join(", ")}, which stack ${stack} has not made`,
    ids.length > 0
      ? `they belong to the stack with the id ${ids.join(", ")}, of another home, user or checkout`
      : "stack dev gives its containers the plain names of their roles",
    "choose another stack: its names begin with the name of the stack. If nobody needs them any more, " +
      "destroy that stack where it was deployed, or remove them with docker",
  );
}

/** What of a kind has one of the names, with the id of the stack that made it. */
function foreign(
  docker: Docker,
  kind: string,
  list: readonly string[],
  field: string,
  wanted: readonly string[],
): { kind: string; name: string; id: string }[] {
  const format = `{{${field}}}\t{{.Label "${idLabel}"}}`;
  return docker
    .run([...list, "--format", format])
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([name]) => wanted.includes(name))
    .map(([name, id = ""]) => ({ kind, name, id }));
}
