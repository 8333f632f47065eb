import { Result } from "@pulumi/pulumi/proto/resource_pb";
import pLimit from "p-limit";
import { commandType, commandVersion } from "./command";
import { describeDifferences } from "./diff";
import { Refusal, Stopped } from "./errors";
import { deletionOrder, dependencyUrns, allDependencies } from "./graph";
import { Planner, providerType } from "./planner";
import { Snapshot } from "./snapshot";
import type { State } from "./state";
import { operation, StepRunner, subject, type Step } from "./steps";
import type { Changes, Goal, PropertyDiff, Resource, RunOptions } from "./types";
import { nameOf, stackType } from "./urn";
import { mapValues, redact, unknownValue, type Properties } from "./values";

interface Registered {
  readonly resource: Resource;
  readonly result: Result;
}

/** Commands name no provider; Pulumi then makes this one, which has no settings. */
const defaultProvider: Goal = {
  type: providerType,
  name: `default_${commandVersion.replaceAll(".", "_")}`,
  custom: true,
  inputs: { version: commandVersion },
};

/**
 * Carries out what the program registers and keeps the state, as Pulumi's step executor does
 * (pkg/resource/deploy/step_executor.go and deployment_executor.go of pulumi/pulumi).
 */
export class Engine {
  readonly changes: Changes = {};
  readonly errors: string[] = [];
  readonly planner: Planner;
  private readonly snapshot: Snapshot;
  private readonly runner: StepRunner;
  private readonly limit: pLimit.Limit;
  private readonly registered = new Map<string, Resource>();
  private provider?: Promise<Registered>;
  private stackOutputs?: { stack: Resource; outputs: Properties };

  /** What failed or was skipped; the state keeps it as it was. */
  private readonly undone: Step[] = [];
  private readonly inFlight = new Set<Promise<unknown>>();
  private readonly stopped: Promise<never>;

  /** @param stopper aborted when no new step is to start */
  constructor(
    private readonly options: RunOptions,
    private readonly state: State,
    write: (state: State) => void,
    private readonly stopper = new AbortController(),
  ) {
    const { stack, project, preview, parallel, replaceUrns = [] } = options;
    this.planner = new Planner({ stack, project }, state.resources, replaceUrns);
    this.limit = pLimit(parallel);
    this.stopped = new Promise((_, reject) => {
      const stop = () => reject(new Stopped("the deployment was stopped"));
      this.stopping.addEventListener("abort", stop);
    });
    this.stopped.catch(() => undefined); // nobody may be waiting
    this.snapshot = new Snapshot(state, preview ? () => undefined : write);
    this.runner = new StepRunner(options, this.snapshot, (old) => this.planner.goesWithOther(old));
  }

  /** Aborted when no new step starts any more. */
  get stopping(): AbortSignal {
    return this.stopper.signal;
  }

  /** Notes an error that belongs to no step, and starts no new step from now on. */
  fail(message: string, urn?: string): void {
    this.errors.push(message);
    this.options.onEvent({ kind: "log", severity: "error", message, ...(urn && { urn }) });
    this.stopper.abort();
  }

  /**
   * Carries out one registration of the program.
   *
   * @throws Stopped as soon as the deployment ends, even while a command of it still runs
   */
  register(goal: Goal): Promise<Registered> {
    return Promise.race([this.carryOut(goal), this.stopped]);
  }

  private async carryOut(goal: Goal): Promise<Registered> {
    let provider = "";
    if (goal.type === commandType) {
      this.provider ??= this.register(defaultProvider);
      const { resource } = await this.provider;
      provider = `${resource.urn}::${resource.id ?? unknownValue}`;
    }
    this.stopping.throwIfAborted();
    try {
      const step = this.planner.plan(goal, provider);
      return { resource: step.now, result: await this.runUnlessStuck(step) };
    } catch (error) {
      if (error instanceof Refusal) this.fail(error.message, this.planner.urnOf(goal));
      throw error;
    }
  }

  /** Runs the step of a registration, or skips it where something that it needs was not done. */
  private async runUnlessStuck(step: Step): Promise<Result> {
    const missing = [...dependencyUrns(subject(step))].find((urn) => this.isUndone(urn));
    if (!missing) return (await this.inTurn(step)) ? Result.SUCCESS : Result.FAIL;
    this.undone.push(step);
    this.emit("skipped", step, { error: `needs ${nameOf(missing)}, which was not done` });
    return Result.SKIP;
  }

  /** Runs a step, in a slot if it runs a Command; false when it failed. */
  private inTurn(step: Step): Promise<boolean> {
    const work = async () => {
      this.stopping.throwIfAborted();
      return this.attempt(step);
    };
    const runs = step.kind !== "same" && subject(step).custom;
    const running = runs ? this.limit(work) : work();
    this.inFlight.add(running);
    const forget = () => void this.inFlight.delete(running);
    running.then(forget, forget);
    return running;
  }

  /** Runs a step; false when it failed and the deployment goes on. */
  private async attempt(step: Step): Promise<boolean> {
    const begun = Date.now();
    const runs = step.kind !== "same" && subject(step).custom && !this.options.preview;
    const took = () => (runs ? { seconds: (Date.now() - begun) / 1000 } : {});
    try {
      if (runs) this.emit("start", step);
      await this.runner.run(step);
      if (step.now) this.registered.set(step.now.urn, step.now);
      const declared = this.options.preview && step.now?.inputs;
      const inputs = declared ? { inputs: mapValues(declared, redact) } : {};
      this.emit("done", step, { ...took(), ...this.count(step), ...inputs });
      return true;
    } catch (error) {
      const { message } = error as Error;
      this.errors.push(`${nameOf(subject(step).urn)}: ${message}`);
      this.undone.push(step);
      this.emit("failed", step, { ...took(), error: message });
      if (!this.options.continueOnError) this.stopper.abort();
      return false;
    }
  }

  private isUndone(urn: string): boolean {
    return this.undone.some((step) => subject(step).urn === urn);
  }

  /** Takes the outputs of a component, or at last of the stack, once its children are known. */
  registerOutputs(urn: string, outputs: Properties): void {
    const resource = this.registered.get(urn);
    if (resource?.type === stackType) {
      this.stackOutputs = { stack: resource, outputs };
    } else if (resource) {
      resource.outputs = outputs;
      this.snapshot.touch();
    } else if (!this.isUndone(urn) && !this.stopping.aborted) {
      this.fail(`cannot complete a resource '${urn}' whose registration isn't pending`, urn);
    }
  }

  /** Deletes what the state has and the program no longer registered, dependents first. */
  async deleteRest(): Promise<void> {
    const base = this.state.resources;
    const steps = new Map(this.planner.rest().map((step) => [subject(step), step]));
    for (const group of deletionOrder([...steps.keys()], base)) {
      if (this.stopping.aborted) return;
      // What is needed by something that stays as it was must stay too.
      const stuck = this.undone
        .flatMap(({ old, now }) => [old, now])
        .filter((resource): resource is Resource => !!resource && base.includes(resource));
      const needed = new Set(stuck.flatMap((one) => [...allDependencies(one, base)]));
      const free = group.filter((old) => !needed.has(old)).map((old) => steps.get(old) as Step);
      // Two halves of one resource use the same names, so they are never deleted at the same time.
      const urns = new Set(free.map((step) => step.old?.urn));
      // The rest goes on after a delete that failed.
      const deletes = [...urns].map(async (urn) => {
        for (const step of free.filter(({ old }) => old?.urn === urn)) {
          await this.inTurn(step).catch(() => undefined);
        }
      });
      await Promise.all(deletes);
    }
  }

  /**
   * Waits for what still runs and writes the stack's outputs.
   *
   * @param failed keeps earlier outputs that are missing now: the program may not have got to them
   */
  async finish(failed: boolean): Promise<Properties> {
    while (this.inFlight.size) await Promise.allSettled(this.inFlight);
    const { stack, outputs = {} } = this.stackOutputs ?? {};
    if (stack) {
      const before = failed ? this.planner.olds.get(stack.urn)?.outputs : {};
      stack.outputs = { ...before, ...outputs };
      this.snapshot.touch();
    }
    this.snapshot.flush();
    return stack?.outputs ?? {};
  }

  private count(step: Step): { diff?: PropertyDiff[] } {
    const op = operation(step);
    const diff = describeDifferences(step.diff ?? []);
    if (subject(step).type !== providerType && op !== "delete-replaced") {
      this.changes[op] = (this.changes[op] ?? 0) + 1;
    }
    return diff.length ? { diff } : {};
  }

  private emit(
    kind: "start" | "done" | "failed" | "skipped",
    step: Step,
    more: { seconds?: number; diff?: PropertyDiff[]; inputs?: Properties; error?: string } = {},
  ): void {
    const { urn, type } = subject(step);
    if (type === providerType) return;
    this.options.onEvent({ kind, op: operation(step), urn, type, name: nameOf(urn), ...more });
  }
}
