import { randomBytes } from "node:crypto";
import { UserError } from "../../infra/contracts/errors";
import type { Cluster, BucketNames } from "../../infra/contracts/platform";
import type { Settings } from "../../infra/settings/schema";
import { stackFiles } from "../../infra/stack/files";
import { readStepRecord } from "../../infra/stack/records";
import { type StepContext, type StepResult, type StepVerbs } from "../../infra/stack/runStep";
import { storeRecord } from "../../infra/stores/access";
import { executorOf } from "../../infra/targets";
import { engineOf, workloadOf } from "../../results/catalog";
import {
  appendHistory,
  declaredInputs,
  publishedKey,
  readRecord,
  writeProgress,
  writeRecord,
} from "../../results/records";
import {
  isFailure,
  runKey,
  summarise,
  type Inputs,
  type RunFailure,
  type RunResult,
} from "../../results/result";
import { codeVersion } from "../inputs";
import { JobFailure, runJob } from "../job";
import { inspectionStep, makingStep, oracleName, type OutputPlace } from "../places";
import { checkData, keepResult, settlePublished } from "../stored";
import { isStopping, takeTurn } from "../turn";

/** What the script of a run gets from its Command, whose triggers are the inputs. */
export interface RunSpec {
  readonly engine: string;
  readonly cluster: Cluster;
  readonly workload: string;
  readonly buckets: BucketNames;
  /** Where its output is published. */
  readonly output: OutputPlace;
  /** Place in the order of runs. */
  readonly rank: number;
  /** The time limit. */
  readonly seconds: number;
  readonly limits: { readonly cores: number; readonly memoryBytes: number };
  /** What it is to take more memory than that. */
  readonly outOfMemory: Settings["outOfMemory"];
  readonly threads: number;
}

/** What a run's job gets, besides the connection. */
export function jobSpec(
  stack: string,
  spec: RunSpec,
  inputs: Inputs,
  oracle: Inputs,
  attempt: string,
): Record<string, unknown> {
  const { cluster: _cluster, rank: _rank, seconds: _seconds, outOfMemory: _, ...question } = spec;
  const keys = { key: runKey(inputs), oracleKey: runKey(oracle) };
  const facts = inputFacts(stack, spec.workload);
  return { ...question, ...keys, inputs, facts, attempt, kind: "run" };
}

/** What the inspection found of a workload's dataset: all jobs read the same objects alike. */
function inputFacts(stack: string, workload: string): unknown {
  return readStepRecord(stack, inspectionStep(workloadOf(workload).dataset))?.result.facts;
}

export const run = {
  create: execute,

  /** Nothing that the run depends on has changed: its result holds, if it is still published. */
  async update(context) {
    const { stack, name, spec } = context;
    const key = runKey(declaredInputs(stack, name));
    const summary = readRecord(stack, name)?.summary;
    const { bucket, prefix } = spec.output;
    const published = await settlePublished(stack, bucket, prefix);
    const holds =
      summary?.status === "verified" ? published === key : summary && isSoStill(context, summary);
    if (!summary || summary.key !== key || !holds) return execute(context);
    writeProgress(stack, name, undefined); // of an attempt that was killed
    return { ...summary };
  },
} satisfies StepVerbs<RunSpec>;

/** Whether an outcome without a result is so still. Without a log, no job has said it. */
function isSoStill({ stack, spec }: StepContext<RunSpec>, left: RunFailure): boolean {
  if (left.meant) return spec.outOfMemory === "outcome";
  return !isFailure(left) && (left.log !== null || whyNot(stack, spec) === left.reason);
}

async function execute(context: StepContext<RunSpec>): Promise<StepResult> {
  const { stack, name, spec } = context;
  const reason = whyNot(stack, spec);
  if (reason !== undefined)
    return { ...leave(context, attemptId(), "not supported", reason, null) };
  const tell = (phase: string, began?: string) => writeProgress(stack, name, { phase, began });
  tell("waiting for its turn");
  try {
    const endTurn = await takeTurn(spec.rank, () => isStopping(stack));
    try {
      return await runAttempt(context, tell);
    } finally {
      endTurn();
    }
  } finally {
    writeProgress(stack, name, undefined);
  }
}

async function runAttempt(
  context: StepContext<RunSpec>,
  tell: (phase: string, began: string) => void,
): Promise<StepResult> {
  const { stack, name, spec } = context;
  const began = new Date().toISOString();
  const inputs = declaredInputs(stack, name);
  const oracle = declaredInputs(stack, oracleName(spec.workload));
  const key = runKey(inputs);
  const attempt = attemptId();
  const log = stackFiles(stack).log(name, attempt);
  const executor = await executorOf(stack);
  const tookFrom = Date.now();
  let published = publishedKey(readRecord(stack, name)?.summary);
  try {
    await checkData(stack, workloadOf(spec.workload).dataset);
    const watch = await executor.watch?.(spec.cluster);
    const job = runJob(executor, {
      module: "engine_comparison.job",
      cluster: spec.cluster,
      spec: jobSpec(stack, spec, inputs, oracle, attempt),
      seconds: spec.seconds,
      log,
      onPhase: (phase) => tell(phase, began),
      ...(watch ? { onMeasure: (question) => watch.ask(question) } : {}),
    });
    const { event: _event, ...measured } = await job
      .then((done) => ((published = key), done))
      .finally(() => watch?.stop());
    // What was made of the inputs, where they were: the key has only what was asked for.
    const dataset = readStepRecord(stack, makingStep(workloadOf(spec.workload).dataset))?.result;
    const result = { ...measured, dataset, code: codeVersion() } as unknown as RunResult;
    const summary = summarise(result);
    // The history comes last, so that an attempt which fails before is in it only as failed.
    await keepResult(stack, spec.buckets.output, result);
    writeRecord(stack, name, { summary, result, at: new Date().toISOString() });
    const tookSeconds = Math.round((Date.now() - tookFrom) / 1000);
    appendHistory(stack, { stack, inputs, ...result, tookSeconds });
    return { ...summary };
  } catch (error) {
    const reason = error instanceof UserError ? error.what : String(error);
    const status = error instanceof JobFailure ? error.outcome : "failed";
    const summary = leave(context, attempt, status, reason, log, published);
    if (isFailure(summary)) throw error;
    return { ...summary };
  }
}

/**
 * Why a contender cannot do a run, where that is known before: by what its file says, by what the
 * inspection and the oracle have found in the dataset, and by what the store lacks.
 */
export function whyNot(
  stack: string,
  { engine, workload }: Pick<RunSpec, "engine" | "workload">,
): string | undefined {
  const { unsupported, corruptImages, longTexts, hiddenNames, noRows, checksums } =
    engineOf(engine);
  if (unsupported[workload] !== undefined) return unsupported[workload];
  if (checksums !== undefined && storeRecord(stack)?.checksums === false) {
    return `${checksums} (s3Checksums is false)`;
  }
  const inspected = readStepRecord(stack, inspectionStep(workloadOf(workload).dataset))?.result;
  const { rows, hidden } = (inspected?.facts ?? {}) as { rows?: number; hidden?: number };
  if (noRows[workload] !== undefined && rows === 0) return noRows[workload];
  const found = readStepRecord(stack, oracleName(workload))?.result;
  const reasons = [
    [corruptImages, "corrupt or missing images", found?.rejected],
    [longTexts, "PNG images with long or broken texts or profiles", found?.longTexts],
    [hiddenNames, "images whose names begin with _ or a dot", hidden],
  ] as const;
  for (const [why, what, count] of reasons) {
    if (why !== undefined && Number(count ?? 0) > 0) {
      return `${why} (${what} in the dataset: ${Number(count)})`;
    }
  }
  return undefined;
}

/** Records an attempt without a result, which leaves what is published. @returns the summary */
function leave(
  { stack, name, spec }: StepContext<RunSpec>,
  attempt: string,
  status: RunFailure["status"],
  reason: string,
  log: string | null,
  published = publishedKey(readRecord(stack, name)?.summary),
): RunFailure {
  const inputs = declaredInputs(stack, name);
  const summary = {
    key: runKey(inputs),
    attempt,
    log,
    status,
    ...(status === "out of memory" && spec.outOfMemory === "outcome"
      ? { meant: true as const }
      : {}),
    verified: false,
    reason,
    published,
  } as const;
  const at = new Date().toISOString();
  writeRecord(stack, name, { summary, at });
  appendHistory(stack, { stack, ...summary, run: name, inputs, code: codeVersion(), at });
  return summary;
}

/** Sorts by time, and is unique. */
function attemptId(): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  return `${time}-${randomBytes(3).toString("hex")}`;
}

/** Computes the right answer of a workload. */
export const oracle = {
  async create({ stack, name, spec }) {
    await checkData(stack, workloadOf(spec.workload).dataset);
    const inputs = declaredInputs(stack, name);
    const key = runKey(inputs);
    const facts = inputFacts(stack, spec.workload);
    const { event: _event, ...result } = await runJob(await executorOf(stack), {
      module: "engine_comparison.oracle",
      cluster: "none",
      spec: { ...spec, inputs, facts, key, oracleKey: key, engine: "oracle" },
      seconds: null,
      log: stackFiles(stack).log("oracle", spec.workload),
    });
    return { workload: spec.workload, key, ...result };
  },
} satisfies StepVerbs<Pick<RunSpec, "workload" | "buckets">>;
