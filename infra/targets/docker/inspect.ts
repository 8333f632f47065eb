import { readStanding } from "../../stack/records";
import type { Docker } from "./daemon";
import { incarnationLabel, names, roles, stackLabel, type Role, type VolumePurpose } from "./names";

/** A container of a stack as it is on the daemon. */
export interface FoundContainer {
  readonly id: string;
  readonly running: boolean;
  readonly incarnation: number;
  /** In Docker's words, e.g. `Up 5 minutes (healthy)`. */
  readonly status: string;
}

/** What a stack has on the daemon, by name. */
export interface Found {
  readonly containers: ReadonlyMap<string, FoundContainer>;
  readonly network: { readonly id: string; readonly incarnation: number } | undefined;
  /** Incarnations of volumes. */
  readonly volumes: ReadonlyMap<string, number>;
}

/** What the step that saw a thing stand recorded. */
export interface Settled {
  readonly id: string;
  readonly incarnation: number;
}

/** Looks at what the stack has on the daemon. */
export function find(docker: Docker, stack: string): Found {
  const labelled = ["--filter", `label=${stackLabel}=${stack}`];
  const format = (...fields: string[]) => [
    "--format",
    fields.map((field) => `{{${field}}}`).join("\t"),
  ];
  const label = `.Label "${incarnationLabel}"`;
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
      containers.map(([name, id, state, incarnation, status]) => [
        name,
        {
          id: id,
          running: state === "running",
          incarnation: Number(incarnation),
          status: status,
        },
      ]),
    ),
    network: network && { id: network[0], incarnation: Number(network[1]) },
    volumes: new Map(volumes.map(([name, incarnation]) => [name, Number(incarnation)])),
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
  const standing = readStanding(stack, readyStep(role));
  return standing && { id: String(standing.result.id), incarnation: standing.incarnation };
}

/** What is recorded about the network. */
export function settledNetwork(stack: string): Settled | undefined {
  const standing = readStanding(stack, groundStep);
  return standing && { id: String(standing.result.network), incarnation: standing.incarnation };
}

/** Numbers of the volumes that were there last. */
export function recordedVolumes(stack: string): Partial<Record<VolumePurpose, number>> {
  return readStanding(stack, groundStep)?.result.volumes ?? {};
}

/**
 * The number to give to a container or network, as a label that replaces the thing when it changes.
 *
 * It stays while the recorded one is there and runs. It rises when that one is gone or stopped, and
 * when there is one that nobody recorded: made by a deployment that was killed before it could say
 * so, and maybe unknown to Pulumi.
 */
export function incarnationOf(
  settled: Settled | undefined,
  found:
    { readonly id: string; readonly incarnation: number; readonly running?: boolean } | undefined,
): number {
  if (!settled && !found) return 1;
  if (settled && found && settled.id === found.id && found.running !== false)
    return settled.incarnation;
  return Math.max(settled?.incarnation ?? 0, found?.incarnation ?? 0) + 1;
}

/**
 * The number to give to a volume. One that is there stays what it is, whoever made it, because data
 * is in it; one that was lost gets the next number.
 *
 * @param recorded the number of the volume that was there last, if it is known
 */
export function volumeIncarnation(found: number | undefined, recorded: number | undefined): number {
  return found ?? (recorded === undefined ? 1 : recorded + 1);
}

/** Containers that are there although nothing recorded them: the sweeper removes them. */
export function leftovers(stack: string, sparkWorkers: number, found: Found): string[] {
  const settled = new Set(
    roles(Math.max(sparkWorkers, 16)).map((role) => settledContainer(stack, role)?.id),
  );
  return [...found.containers].filter(([, { id }]) => !settled.has(id)).map(([name]) => name);
}

/** Names of the stack's containers that other containers have. */
export function takenNames(
  docker: Docker,
  stack: string,
  sparkWorkers: number,
  found: Found,
): string[] {
  const ours = new Set(roles(sparkWorkers).map((role) => names(stack).container(role)));
  const all = docker.run(["ps", "--all", "--format", "{{.Names}}"]).split("\n");
  return all.filter((name) => ours.has(name) && !found.containers.has(name));
}
