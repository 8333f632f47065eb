import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestStack } from "../e2e/stack";

/** What an up has to do, so that it comes to a moment. */
export type Beginning =
  | "nothing stands"
  | "the data are lost"
  | "other data are asked for"
  | "another question is asked"
  | "the services are dead"
  | "everything stands, and is destroyed";

/** When an interrupt comes. */
export interface Moment {
  readonly name: string;
  readonly after: Beginning;
  /** Whether it has begun, as seen from outside, now that this file of the stack's has changed. */
  readonly begun: (stack: TestStack, changed: string) => boolean;
  /** The interrupt comes this many seconds later at most. */
  readonly within: number;
  /** Whether it can be over before anybody has seen it. */
  readonly brief?: boolean;
  /** Whether the question is taken back after it, so that the run which was cut short is not done. */
  readonly takenBack?: boolean;
}

const at = (name: string, after: Beginning, within: number, begun: Moment["begun"]): Moment => ({
  name,
  after,
  within,
  begun,
});

/** While a step of that name runs: the runner notes it in the state before it starts. */
const during = (step: string, after: Beginning, within = 2): Moment =>
  at(`during ${step}`, after, within, (stack) => {
    const { pending_operations: pending = [] } = deployment(stack);
    return pending.some(({ resource }) => resource.urn.endsWith(`::${step}`));
  });

/** While a run is in a phase that it announces. */
const inPhase = (phase: string, run: string, within: number): Moment => ({
  ...at(`while ${run} is at ${phase}`, "another question is asked", within, (stack) => {
    const progress = path.join(stack.folder, "runs", `${run}.progress.json`);
    return read<{ phase: string }>(progress)?.phase === phase;
  }),
  brief: phase === "verify" || phase === "publish",
});

/** While the state is written. */
const writing = (after: Beginning): Moment =>
  at("while the state is written", after, 0, (_, changed) => changed === "state.json.new");

/** Not where something begins, but anywhere. */
export const anyTime = (after: Beginning, within: number): Moment =>
  at("at any time", after, within, () => true);

/** The moments on a graph whose one run is `run`: 30, most of them where something is being made. */
export function momentsOf(run: string): Moment[] {
  const workload = run.split("/")[1];
  return [
    during("services-supervisor", "nothing stands", 1),
    during("services-minio", "nothing stands"),
    during("services-ray-head", "nothing stands", 15),
    anyTime("nothing stands", 40),
    during("services-supervisor", "the services are dead", 1),
    during("services-minio", "the services are dead"),
    during("services-spark-worker-1", "the services are dead", 8),
    writing("the services are dead"),
    during("services-minio-data", "the data are lost", 1),
    during("services-minio", "the data are lost"),
    during("buckets-lake", "the data are lost", 1),
    during("buckets-output", "the data are lost", 1),
    during("taxi-upload", "the data are lost"),
    writing("the data are lost"),
    anyTime("the data are lost", 20),
    during("taxi-files", "other data are asked for"),
    during("taxi-upload", "other data are asked for"),
    during(`oracle-${workload}`, "other data are asked for"),
    anyTime("other data are asked for", 20),
    inPhase("start-up", run, 1),
    inPhase("first sample", run, 1),
    inPhase("verify", run, 0.2),
    inPhase("publish", run, 0),
    { ...inPhase("publish", run, 0.1), takenBack: true },
    { ...inPhase("verify", run, 0.1), takenBack: true },
    during("report-page", "another question is asked"),
    writing("another question is asked"),
    anyTime("everything stands, and is destroyed", 3),
    during("services-minio", "everything stands, and is destroyed", 1),
    writing("everything stands, and is destroyed"),
  ];
}

/**
 * Waits until a moment has come.
 *
 * @returns false when the command has `ended` before it
 * @throws Error when the command did nothing by which the moment is known
 */
export async function comes(
  moment: Moment,
  stack: TestStack,
  random: () => number,
  ended: Promise<unknown>,
): Promise<boolean> {
  const records = path.join(stack.folder, "runs", "polars");
  fs.mkdirSync(records, { recursive: true, mode: 0o700 });
  const watchers = [stack.folder, records].map((folder) => fs.watch(folder));
  const begun = new Promise<boolean>((resolve) => {
    const look = (file: string) => moment.begun(stack, file) && resolve(true);
    for (const watcher of watchers) watcher.on("change", (_, file) => look(String(file)));
    look("");
  });
  const over = ended.then(() => false);
  const came = await Promise.race([begun, over]);
  for (const watcher of watchers) watcher.close();
  if (!came && !moment.brief) throw new Error(`no command came to "${moment.name}"`);
  return came && Promise.race([sleep(random() * moment.within * 1000, true), over]);
}

interface Deployment {
  readonly pending_operations?: readonly { readonly resource: { readonly urn: string } }[];
  readonly resources?: readonly { readonly urn: string; readonly type: string }[];
}

/** The embedded runner's state as it is on disk. */
export function deployment(stack: TestStack): Deployment {
  return read<{ deployment: Deployment }>(path.join(stack.folder, "state.json"))?.deployment ?? {};
}

function read<T>(file: string): T | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as T;
  } catch {
    return undefined; // not there, or not now
  }
}
