import * as fs from "node:fs";
import * as path from "node:path";
import * as readline from "node:readline";
import type { Cluster, Executor } from "../infra/contracts/platform";
import { UserError } from "../infra/contracts/errors";
import type { Failure } from "../results/result";

/** A line on a job's stdout. */
export type JobEvent =
  | { readonly event: "phase"; readonly phase: string }
  | { readonly event: "measure"; readonly question: string }
  | { readonly event: "result"; readonly [more: string]: unknown }
  | {
      readonly event: "failure";
      readonly reason: string;
      readonly advice?: string;
      readonly outcome?: Failure;
    };

/** A job that came to another end than a result. */
export class JobFailure extends UserError {
  constructor(
    what: string,
    why: string,
    fix: string,
    /** What its run comes to. */
    readonly outcome: Failure = "failed",
  ) {
    super(what, why, fix);
  }
}

export interface JobArgs {
  /** The Python module, e.g. `engine_comparison.job`. */
  readonly module: string;
  /** What the job computes on; `none` also for a job that is no engine's. */
  readonly cluster: Cluster;
  /** For a job that needs neither the store nor a cluster, but may download. */
  readonly unconnected?: boolean;
  /** What the module is told, besides the connection. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** The time limit, or null for none. */
  readonly seconds: number | null;
  /** Gets all that the job says besides its events. */
  readonly log: string;
  readonly onPhase?: (phase: string) => void;
  /** Answers a job that asks what it was measured to use, being told that it cannot see it. */
  readonly onMeasure?: (question: string) => Promise<readonly object[]>;
  /** Aborted: the job is ended. */
  readonly stop?: AbortSignal;
}

/**
 * Runs a Python module under its leader and waits for its result.
 *
 * The leader's stdin stays open while this process lives: when it ends, however it ends, the leader
 * ends the job. Addresses and credentials go in by stdin too, never by argv or environment.
 *
 * @returns the module's result event
 * @throws UserError with the job's reason and the place of its log
 */
export async function runJob(
  executor: Executor,
  args: JobArgs,
): Promise<Extract<JobEvent, { event: "result" }>> {
  const connection = args.unconnected ? {} : await executor.connection(args.cluster);
  fs.mkdirSync(path.dirname(args.log), { recursive: true });
  const log = fs.createWriteStream(args.log, { flags: "a", mode: 0o600 });
  log.on("error", () => {}); // of a full disk: the job goes on, and its result says how it went
  const leader = executor.start(args.cluster, args.unconnected);
  leader.stdin.on("error", () => {}); // a leader that died tells by its exit code
  leader.stdin.write(
    JSON.stringify({
      module: args.module,
      spec: {
        ...connection,
        ...args.spec,
        ...(args.onMeasure ? { measuredOutside: true } : {}),
      },
      seconds: args.seconds,
    }) + "\n",
  );
  leader.stderr.pipe(log, { end: false });
  const stop = () => leader.stdin.end();
  // A signal that was aborted before has no event any more.
  if (args.stop?.aborted) stop();
  else args.stop?.addEventListener("abort", stop);

  // Never rejects: while lines are read, nobody waits for it yet.
  const ended = new Promise<string | Error>((resolve) => {
    leader.on("error", resolve);
    leader.on("close", (code, signal) => resolve(signal ?? String(code)));
  });
  let last: JobEvent | undefined;
  let unanswered: Error | undefined;
  for await (const line of readline.createInterface({ input: leader.stdout })) {
    const event = parseEvent(line);
    if (event === undefined) log.write(line + "\n");
    else if (event.event === "phase") args.onPhase?.(event.phase);
    else if (event.event === "measure") {
      try {
        const answers = await args.onMeasure?.(event.question);
        leader.stdin.write(JSON.stringify({ answers }) + "\n");
      } catch (error) {
        unanswered = error as Error;
        stop();
      }
    } else last = event;
  }
  const exit = await ended;
  leader.stdin.end();
  await new Promise<void>((resolve) => log.end(resolve));
  if (unanswered) throw unanswered;
  if (last?.event === "result" && exit === "0") return last;
  throw jobFailed(args, exit, last);
}

function parseEvent(line: string): JobEvent | undefined {
  try {
    const value = JSON.parse(line) as JobEvent;
    return typeof value?.event === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

function jobFailed(args: JobArgs, exit: string | Error, last: JobEvent | undefined): UserError {
  if (exit instanceof Error) {
    return new UserError(
      `the job could not be started: ${exit.message}`,
      "what starts it is missing or is not executable",
      "run npm run doctor: it says what to repair",
    );
  }
  const why = `all of its output is in ${args.log}`;
  if (last?.event === "failure") {
    const advice = last.advice ?? "read the log's last lines";
    return new JobFailure(last.reason, why, advice, last.outcome);
  }
  if (exit === "124") {
    return new JobFailure(
      `the job did not end within ${args.seconds} s and was ended`,
      why,
      "set runTimeoutSeconds higher, or give the engine more cores or memory",
      "timed out",
    );
  }
  const what = `the job ended with ${exit} and no result`;
  return new UserError(what, why, "read the log's last lines");
}
