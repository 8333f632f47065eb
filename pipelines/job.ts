import * as fs from "node:fs";
import * as path from "node:path";
import * as readline from "node:readline";
import type { Cluster, Executor } from "../infra/contracts/platform";
import { UserError } from "../infra/contracts/errors";
import { attempt } from "../infra/host/folders";
import { unverified, type Unverified } from "../results/result";

/** A line on a job's stdout. */
export type JobEvent =
  | { readonly event: "phase"; readonly phase: string }
  | { readonly event: "measure"; readonly question: string }
  | { readonly event: "result"; readonly [more: string]: unknown }
  | {
      readonly event: "failure";
      readonly reason: string;
      readonly advice?: string;
      readonly outcome?: string;
    };

export class JobFailure extends UserError {
  /** @param outcome as the job said, or as its end shows */
  constructor(
    readonly outcome: Unverified,
    what: string,
    why: string,
    fix: string,
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
  /** What the module gets, besides the connection. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** The time limit, or null for none. */
  readonly seconds: number | null;
  /** Gets all that the job says besides its events. */
  readonly log: string;
  readonly onPhase?: (phase: string) => void;
  /** Answers a job that asks what it was measured to use, which was given the hint that it cannot see it. */
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
 * @throws JobFailure with the job's reason and the place of its log
 */
export async function runJob(executor: Executor, args: JobArgs) {
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
  throw jobFailed(args, exit, executor.limitsMemory, last);
}

function parseEvent(line: string): JobEvent | undefined {
  const value = attempt(() => JSON.parse(line) as JobEvent | null);
  return typeof value?.event === "string" ? value : undefined;
}

function jobFailed(args: JobArgs, exit: string | Error, limitsMemory = false, last?: JobEvent) {
  if (exit instanceof Error) {
    return new JobFailure(
      "failed",
      `the job could not be started: ${exit.message}`,
      "what starts it is missing or is not executable",
      "run npm run doctor: it says what to repair",
    );
  }
  const failed = (outcome: Unverified, what: string, fix = "read the log's last lines") =>
    new JobFailure(outcome, what, `all of its output is in ${args.log}`, fix);
  if (last?.event === "failure") {
    const outcome = unverified.find((one) => one === last.outcome) ?? "failed";
    return failed(outcome, last.reason, last.advice);
  }
  if (exit === "124") {
    const what = `the job did not end within ${args.seconds} s and was ended`;
    const fix = "set runTimeoutSeconds higher, or give the engine more cores or memory";
    return failed("timed out", what, fix);
  }
  if (exit === "137" && limitsMemory) {
    return failed(
      "out of memory",
      "the job was killed: its container had no memory left",
      "set runMemory or containerMemory higher, or let the run take less by a smaller batchSize",
    );
  }
  return failed("failed", `the job ended with ${exit} and no result`);
}
