import * as fs from "node:fs";
import { npm, wrong } from "../contracts/check";
import type { UserError } from "../contracts/errors";
import { check, deployed, type Logs, type StackContext } from "../host/checks";
import { ports } from "../settings/ports";
import { stackFiles } from "../stack/files";
import { lockedVersion } from "../toolchain/locks";
import { otherVersion, replaceOwn } from "./masterPage";

/** A node of a Ray cluster that takes work. */
export interface RayNode {
  readonly state?: string;
  readonly resources_total?: { readonly CPU?: number };
}

/** What was found where a Ray cluster's dashboard should be. */
export interface DashboardFacts {
  readonly url: string;
  /** Why there is no answer. */
  readonly silent?: string;
  /** Whether it does not take the token. */
  readonly refused?: boolean;
  readonly version?: string;
  /** Those that are alive; undefined where it does not say. */
  readonly nodes?: readonly RayNode[];
}

/** Asks a Ray cluster for its version and its nodes. */
export async function askDashboard(
  url: string,
  token: string | undefined,
): Promise<DashboardFacts> {
  const ask = (place: string) =>
    fetch(new URL(place, url), {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5_000),
      redirect: "error",
    });
  try {
    const answer = await ask("/api/version");
    if (answer.status === 401 || answer.status === 403) return { url, refused: true };
    if (!answer.ok) return { url, silent: `it says ${answer.status}` };
    const { ray_version: version = "unknown" } = (await answer.json()) as { ray_version?: string };
    const nodes = await ask("/api/v0/nodes?detail=1&limit=1000");
    return { url, version, nodes: nodes.ok ? aliveNodes(await nodes.json()) : undefined };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return { url, silent: cause?.code ?? message };
  }
}

/** The nodes that take work, out of what the dashboard answers; undefined where it tells none. */
export function aliveNodes(answer: unknown): RayNode[] | undefined {
  const { data } = (answer ?? {}) as { data?: { result?: { result?: readonly RayNode[] } } };
  return data?.result?.result?.filter(({ state }) => state === "ALIVE");
}

/** @param fix what to do about it */
export function otherRayVersion({ url, version }: DashboardFacts, fix: string): UserError[] {
  const why = "Ray refuses clients of another version: Version mismatch";
  return otherVersion(`the Ray cluster at ${url}`, version, lockedVersion("ray"), why, fix);
}

/** @param wanted how many nodes the stack has started */
export function rayTrouble(
  facts: DashboardFacts,
  subject: Pick<StackContext, "stack">,
  wanted: number,
  logs: Logs,
): UserError[] {
  const { url, refused, nodes } = facts;
  const silent = refused ? "it refuses the stack's token" : facts.silent;
  const start = npm(subject.stack, "start");
  if (silent !== undefined) {
    return wrong(
      `Ray's head does not answer at ${url} (${silent})`,
      "Ray's jobs, and Daft's on Ray, cannot start or hang",
      `${logs(subject, "ray-head")}, then ${start}`,
    );
  }
  const other = otherRayVersion(facts, replaceOwn(subject.stack));
  if (other.length > 0 || nodes === undefined || nodes.length >= wanted) return other;
  return wrong(
    `${nodes.length} of ${wanted} nodes of the Ray cluster at ${url} are alive`,
    "tasks wait for CPUs and GPUs that nobody offers",
    `${npm(subject.stack, "status")} shows which is gone; ${start} starts it again`,
  );
}

/** Of a cluster that the stack has started. */
export const rayCheck = (nodes: number, logs: Logs) =>
  check({
    id: "ray",
    name: "Ray's head answers, has the locked version and its nodes",
    blocks: false,
    applies: deployed,
    after: ["docker"],
    observe: ({ stack, settings }) => {
      const file = stackFiles(stack).rayToken;
      const token = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : "";
      return askDashboard(`http://127.0.0.1:${ports(settings.portOffset).ray.dashboard}`, token);
    },
    judge: (facts, context) => rayTrouble(facts, context, nodes, logs),
  });
