import { randomBytes } from "node:crypto";
import * as path from "node:path";
import type { HostWatch } from "../../infra/contracts/executor";
import { executorOf } from "../../infra/targets";
import { stackFolder } from "../../infra/host/folders";
import { type StepVerbs, type StepContext, type StepResult } from "../../infra/stack/runStep";
import { readStepRecord } from "../../infra/stack/records";
import { UserError } from "../../infra/contracts/errors";
import { codeVersion } from "../codeVersion";
import { runJob } from "../job";
import { settlePublished } from "../published";
import { appendHistory, readRecord, writeProgress, writeRecord } from "../../results/records";
import { summarise, type RunResult } from "../../results/result";
import { keepResult } from "../resultStore";
import { jobSpec, type RunSpec } from "../runSpec";
import { isStopping } from "../stopping";
import { takeTurn } from "../turn";
import { makingStep, outputPlace, workloadOf } from "../workloads";

export default {
  create: execute,

  /** Nothing that the run depends on has changed, so its result stands, if it is there. */
  async update(context) {
    const { stack, name, spec } = context;
    const summary = readRecord(stack, name)?.summary;
    const { bucket, prefix } = outputPlace(spec.engine, spec.workload, spec.buckets);
    const published = await settlePublished(stack, bucket, prefix);
    const stands = summary?.status === "verified" && summary.key === spec.key;
    if (!stands || published !== spec.key) return execute(context);
    writeProgress(stack, name, undefined); // of an attempt that was killed
    return { ...summary };
  },
} satisfies StepVerbs<RunSpec>;

async function execute({ stack, name, spec }: StepContext<RunSpec>): Promise<StepResult> {
  const attempt = attemptId();
  const log = path.join(stackFolder(stack), "logs", name, `${attempt}.log`);
  const tell = (phase: string, began?: string) => writeProgress(stack, name, { phase, began });
  const executor = await executorOf(stack);
  tell("waiting for its turn");
  const endTurn = await takeTurn(spec.rank, () => isStopping(stack)).catch((error: unknown) => {
    writeProgress(stack, name, undefined);
    throw error;
  });
  const began = new Date().toISOString();
  let watch: HostWatch | undefined;
  try {
    const watching = await executor.watch?.(spec.cluster);
    watch = watching;
    const { event: _event, ...measured } = await runJob(executor, {
      module: "engine_comparison.job",
      cluster: spec.cluster,
      spec: jobSpec(spec, attempt),
      seconds: spec.seconds,
      log,
      onPhase: (phase) => tell(phase, began),
      ...(watching ? { onMeasure: () => watching.read() } : {}),
    });
    const dataset = datasetOf(stack, spec.workload);
    const result = { ...measured, dataset, code: codeVersion() } as unknown as RunResult;
    const summary = summarise(result);
    writeRecord(stack, name, { summary, result, at: new Date().toISOString() });
    appendHistory(stack, { stack, inputs: spec.inputs, ...result });
    await keepResult(stack, spec.buckets.output, result);
    return { ...summary };
  } catch (error) {
    recordFailure(stack, name, spec.inputs, { key: spec.key, attempt, log }, error);
    throw error;
  } finally {
    writeProgress(stack, name, undefined);
    await watch?.stop();
    await endTurn();
  }
}

/** What was made of the inputs, where they were: the key has only what was asked for. */
function datasetOf(stack: string, workload: string): unknown {
  return readStepRecord(stack, makingStep(workloadOf(workload).dataset))?.result;
}

function recordFailure(
  stack: string,
  name: string,
  inputs: RunSpec["inputs"],
  failed: { key: string; attempt: string; log: string },
  error: unknown,
): void {
  const before = readRecord(stack, name)?.summary;
  const published = before?.status === "failed" ? before.published : (before?.key ?? null);
  const reason = error instanceof UserError ? error.what : String(error);
  const at = new Date().toISOString();
  const summary = { ...failed, status: "failed", verified: false, reason, published } as const;
  writeRecord(stack, name, { summary, at });
  appendHistory(stack, { stack, run: name, inputs, code: codeVersion(), ...summary, at });
}

/** Sorts by time, and is unique. */
function attemptId(): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  return `${time}-${randomBytes(3).toString("hex")}`;
}
