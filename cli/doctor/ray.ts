import * as fs from "node:fs";
import { stackFiles } from "../../infra/stack/files";
import { lockedVersion } from "../../infra/toolchain/locks";
import { ports } from "../../infra/settings/ports";
import { UserError } from "../../infra/contracts/errors";
import {
  check,
  logs,
  npm,
  otherVersion,
  stands,
  startsEngines,
  type Check,
  type Named,
  type Patient,
} from "./check";

/** What Ray's dashboard says. */
export interface RaySeen {
  readonly url: string;
  /** Why it says nothing. */
  readonly silent?: string;
  readonly version?: string;
  /** Nodes that are alive. */
  readonly nodes?: number;
}

export function rayTrouble({ url, silent, nodes }: RaySeen, patient: Named): UserError[] {
  const { stack, settings } = patient;
  const wanted = settings.target === "docker" ? 2 : 1;
  if (silent !== undefined) {
    return [
      new UserError(
        `Ray's head does not answer at ${url} (${silent})`,
        "Ray's jobs, and Daft's on Ray, cannot start or hang",
        `${logs(patient, "ray-head")}, then ${npm(stack, "start")}`,
      ),
    ];
  }
  if (nodes === undefined || nodes >= wanted) return [];
  return [
    new UserError(
      `${nodes} of ${wanted} nodes of the Ray cluster at ${url} are alive`,
      "tasks wait for CPUs and GPUs that nobody offers",
      `${npm(stack, "status")} shows which is gone; ${npm(stack, "start")} starts it again`,
    ),
  ];
}

export function wrongRay(seen: RaySeen, locked: string): UserError[] {
  const effect = "Ray refuses clients of another version: Version mismatch";
  return otherVersion("Ray", seen, locked, effect);
}

async function askHead({ settings, stack }: Patient): Promise<RaySeen> {
  const url = `http://127.0.0.1:${ports(settings.portOffset).ray.dashboard}`;
  const file = stackFiles(stack).rayToken;
  const token = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : "";
  const get = async (path: string) => {
    const answer = await fetch(`${url}${path}`, {
      headers: { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (answer.status === 401 || answer.status === 403) {
      throw new Error(`it refuses the stack's token, with ${answer.status}`);
    }
    return (await answer.json()) as unknown;
  };
  try {
    const { ray_version: version } = (await get("/api/version")) as { ray_version?: string };
    return { url, version, nodes: aliveNodes(await get("/nodes?view=summary")) };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return { url, silent: cause?.code ?? message };
  }
}

/** Counts the living nodes of the dashboard's answer; undefined for one of another form. */
export function aliveNodes(answer: unknown): number | undefined {
  const { data } = (answer ?? {}) as {
    data?: { summary?: readonly { raylet?: { state?: string } }[] };
  };
  return data?.summary?.filter(({ raylet }) => raylet?.state === "ALIVE").length;
}

export const rayChecks: readonly Check[] = [
  check({
    id: "ray",
    name: "Ray's head answers and has its nodes",
    applies: (patient) => stands(patient) && startsEngines(patient),
    after: ["docker"],
    observe: askHead,
    judge: rayTrouble,
  }),
  check({
    id: "ray-version",
    name: "Ray's cluster and its clients have one version",
    applies: (patient) => stands(patient) && startsEngines(patient),
    after: ["docker", "ray"],
    observe: askHead,
    judge: (seen) => wrongRay(seen, lockedVersion("ray")),
  }),
];
