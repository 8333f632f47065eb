import { randomUUID } from "node:crypto";
import * as command from "./command";
import { describeDifferences } from "./diff";
import { deletionOrder, dependencyUrns, transitiveDependencies } from "./graph";
import { operation, Planner, PROVIDER_TYPE, Refusal, subject, type Step } from "./planner";
import { Slots } from "./slots";
import { Snapshot } from "./snapshot";
import type { State } from "./state";
import type { Changes, EmbeddedOptions, Goal, PropertyDiff, Resource, StepOp } from "./types";
import { nameOf, STACK_TYPE } from "./urn";
import { UNKNOWN, type Properties } from "./values";

/** How a registration ended; the numbers of Pulumi's protocol. */
export enum Result {
  Success = 0,
  Failed = 1,
  Skipped = 2,
}

export interface Registered {
  readonly resource: Resource;
  readonly result: Result;
}

/** The deployment has come to its end before this was carried out. */
export class Stopped extends Error {}

/** A delete that is not even tried; others go on all the same. */
class Protected extends Error {}

export interface EngineOptions extends Pick<
  EmbeddedOptions,
  "projectDir" | "project" | "stack" | "continueOnError" | "replaceUrns" | "killSignal" | "onEvent"
> {
  /** Commands that run at the same time. */
  readonly parallel: number;
  /** Nothing is run and nothing is written. */
  readonly preview: boolean;
}

/**
 * Carries out what the program registers and keeps the state, as Pulumi's step executor does
 * (pkg/resource/deploy/step_executor.go and deployment_executor.go of pulumi/pulumi).
 */
export class Engine {
  readonly changes: Changes = {};
  readonly errors: string[] = [];
  /** What was done, in order, without what stayed the same. */
  readonly steps: { op: StepOp; urn: string; diff: PropertyDiff[] }[] = [];

  private readonly planner: Planner;
  private readonly snapshot: Snapshot;
  private readonly slots: Slots;
  private readonly registered = new Map<string, Resource>();
  private provider?: Promise<Registered>;
  private stackOutputs?: { urn: string; outputs: Properties };

  /** What failed or was skipped, so that the state keeps it as it was. */
  private readonly undone: Step[] = [];
  /** URNs of what failed or was skipped. */
  private readonly unavailable = new Set<string>();
  private readonly inFlight = new Set<Promise<unknown>>();
  private readonly stopper = new AbortController();
  private readonly stopped = new Promise<never>((_, reject) => {
    const stop = () => reject(new Stopped("the deployment was stopped"));
    this.stopping.addEventListener("abort", stop);
  });

  /** @param write puts a state on disk */
  constructor(
    private readonly options: EngineOptions,
    private readonly state: State,
    write: (state: State) => void,
  ) {
    const { stack, project, preview, parallel, replaceUrns = [] } = options;
    const complain = preview ? (message: string) => void this.errors.push(message) : undefined;
    this.planner = new Planner(stack, project, state.resources, replaceUrns, complain);
    this.slots = new Slots(parallel);
    this.stopped.catch(() => undefined); // nobody may be waiting
    this.snapshot = new Snapshot(state, this.planner.renamedTo, preview ? () => undefined : write);
  }

  /** Aborted when no new step starts any more. */
  get stopping(): AbortSignal {
    return this.stopper.signal;
  }

  /** Whether the state has a resource, apart from those that only wait for their delete. */
  has(urn: string): boolean {
    return this.planner.old(urn) !== undefined;
  }

  /** Notes an error that is not one step's, and starts no new step from now on. */
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
  async register(goal: Goal): Promise<Registered> {
    return Promise.race([this.carryOut(goal), this.stopped]);
  }

  private async carryOut(goal: Goal): Promise<Registered> {
    let provider = "";
    if (goal.type === command.COMMAND_TYPE) {
      this.provider ??= this.register(defaultProvider());
      const { resource } = await this.provider;
      provider = `${resource.urn}::${resource.id ?? UNKNOWN}`;
    }
    this.stopping.throwIfAborted();
    try {
      const steps = this.planner.plan(goal, provider);
      const resource = subject(steps.at(-1) as Step);
      return { resource, result: await this.runSteps(steps) };
    } catch (error) {
      if (error instanceof Refusal) {
        this.fail(error.message, this.planner.urnOf(goal));
      }
      throw error;
    }
  }

  /** Runs the steps of one registration, one after the other. */
  private async runSteps(steps: Step[]): Promise<Result> {
    const left = steps.filter((step) => {
      const missing = [...dependencyUrns(subject(step))].find((urn) => this.unavailable.has(urn));
      if (missing) {
        this.unavailable.add(subject(step).urn);
        this.undone.push(step);
        this.emit("skipped", step, { error: `needs ${nameOf(missing)}, which was not done` });
      }
      return !missing;
    });
    const result = left.length ? await this.track(this.inSlot(left)) : Result.Success;
    return result === Result.Success && left.length < steps.length ? Result.Skipped : result;
  }

  private async inSlot(steps: Step[]): Promise<Result> {
    const runs = steps.some((step) => step.kind !== "same" && subject(step).custom);
    if (runs) {
      await this.slots.take();
    }
    try {
      for (const step of steps) {
        this.stopping.throwIfAborted();
        if (!(await this.attempt(step))) {
          return Result.Failed;
        }
      }
      return Result.Success;
    } finally {
      if (runs) {
        this.slots.give();
      }
    }
  }

  /** Runs a step; false when it failed and the deployment goes on. */
  private async attempt(step: Step): Promise<boolean> {
    const begun = Date.now();
    const runs = step.kind !== "same" && subject(step).custom && !this.options.preview;
    const took = () => (runs ? { seconds: (Date.now() - begun) / 1000 } : {});
    try {
      if (runs) {
        this.emit("start", step);
      }
      await this.execute(step);
      const diff = this.count(step);
      this.emit("done", step, { ...took(), ...(diff.length && { diff }) });
      return true;
    } catch (error) {
      const message = (error as Error).message;
      this.errors.push(`${nameOf(subject(step).urn)}: ${message}`);
      this.undone.push(step);
      this.unavailable.add(subject(step).urn);
      this.emit("failed", step, { ...took(), error: message });
      if (!this.options.continueOnError && !(error instanceof Protected)) {
        this.stopper.abort();
      }
      return false;
    }
  }

  private async execute({ kind, old, now, replaced }: Step): Promise<void> {
    if (kind === "same" && old && now) {
      now.id = old.id;
      now.outputs = old.outputs;
      this.registered.set(now.urn, now);
      this.snapshot.keep(old, now);
    } else if (kind === "update" && old && now) {
      await this.update(now, old);
    } else if (kind === "delete" && old) {
      await this.delete(old, !!replaced);
    } else if (kind === "forget" && old) {
      this.snapshot.forget(old);
    } else if (now) {
      await this.create(now, old);
    }
  }

  /** @param old what it replaces; it is deleted at the end */
  private async create(now: Resource, old?: Resource): Promise<void> {
    const { preview } = this.options;
    await this.snapshot.during("creating", now, async () => {
      const inputs = now.inputs ?? {};
      if (now.type === command.COMMAND_TYPE) {
        now.outputs = preview
          ? command.previewOutputs(inputs)
          : await command.create(inputs, this.runOptions(now, now.customTimeouts?.create));
        now.id = preview ? "" : command.newId(nameOf(now.urn));
      } else if (now.custom) {
        now.outputs = inputs;
        now.id = preview ? UNKNOWN : randomUUID();
      }
      now.created = now.modified = new Date().toISOString();
      this.settle(now);
      if (old && !old.pendingReplacement) {
        old.delete = true;
      }
      return { made: now, gone: old?.pendingReplacement ? old : undefined };
    });
  }

  private async update(now: Resource, old: Resource): Promise<void> {
    now.id = old.id;
    await this.snapshot.during("updating", now, async () => {
      const inputs = now.inputs ?? {};
      if (now.type !== command.COMMAND_TYPE) {
        now.outputs = old.outputs;
      } else if (this.options.preview) {
        now.outputs = command.previewOutputs(inputs);
      } else {
        const options = this.runOptions(now, now.customTimeouts?.update);
        now.outputs = await command.update(inputs, old.outputs ?? {}, options);
      }
      now.modified = new Date().toISOString();
      this.settle(now);
      return { made: now, gone: old };
    });
  }

  private async delete(old: Resource, replaced: boolean): Promise<void> {
    if (old.protect && !replaced && !old.delete) {
      throw new Protected(
        `resource "${old.urn}" cannot be deleted because it is protected. To unprotect the ` +
          "resource, remove the `protect` flag from the resource in your Pulumi program and run again",
      );
    }
    await this.snapshot.during("deleting", old, async () => {
      const isCommand = old.type === command.COMMAND_TYPE;
      if (isCommand && !this.options.preview && !this.planner.goesWithOther(old)) {
        const options = this.runOptions(old, old.customTimeouts?.delete);
        await command.remove(old.outputs ?? {}, options);
      }
      if (replaced && !old.delete) {
        old.pendingReplacement = true; // it stays in the state until it has been made again
      }
      return { gone: old.pendingReplacement ? undefined : old };
    });
  }

  private runOptions(resource: Resource, timeout = 0): command.RunOptions {
    const { urn } = resource;
    return {
      cwd: this.options.projectDir,
      timeout,
      killSignal: this.options.killSignal,
      onLine: (message) => this.options.onEvent({ kind: "log", severity: "output", message, urn }),
    };
  }

  /** Marks secret outputs and lets later calls find the resource. */
  private settle(now: Resource): void {
    const named = now.additionalSecretOutputs ?? [];
    now.outputs = command.markSecrets(now.outputs ?? {}, now.inputs ?? {}, named);
    this.registered.set(now.urn, now);
  }

  /** Takes what a component, or at last the stack, says of itself once its children are known. */
  registerOutputs(urn: string, outputs: Properties): void {
    const resource = this.registered.get(urn);
    if (resource?.type === STACK_TYPE) {
      this.stackOutputs = { urn, outputs };
    } else if (resource) {
      resource.outputs = outputs;
      this.snapshot.touch();
    } else if (!this.unavailable.has(urn) && !this.stopping.aborted) {
      this.fail(`cannot complete a resource '${urn}' whose registration isn't pending`, urn);
    }
  }

  /** Deletes what the state has and the program no longer registered, dependents first. */
  async deleteRest(): Promise<void> {
    const base = this.state.resources;
    const steps = new Map(this.planner.rest().map((step) => [subject(step), step]));
    for (const group of deletionOrder([...steps.keys()], base)) {
      if (this.stopping.aborted) {
        return;
      }
      // What is needed by something that stays as it was must stay too.
      const stuck = this.undone
        .flatMap(({ old, now }) => [old, now])
        .filter((resource): resource is Resource => !!resource && base.includes(resource));
      const needed = new Set(stuck.flatMap((one) => [...transitiveDependencies(one, base)]));
      const free = group.filter((old) => !needed.has(old)).map((old) => steps.get(old) as Step);
      await Promise.all([...halves(free).values()].map((of) => this.inTurn(of)));
    }
  }

  /** Two halves of one resource know the same things by the same names: never at the same time. */
  private async inTurn(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await Promise.allSettled([this.track(this.inSlot([step]))]);
    }
  }

  /**
   * Waits for what still runs and writes the stack's outputs.
   *
   * @param failed then an output that is missing is not taken for one that is gone
   */
  async finish(failed: boolean): Promise<Properties> {
    while (this.inFlight.size) {
      await Promise.allSettled(this.inFlight);
    }
    const { urn, outputs } = this.stackOutputs ?? { urn: "", outputs: {} };
    const stack = this.registered.get(urn);
    if (stack) {
      stack.outputs = failed ? { ...this.planner.old(urn)?.outputs, ...outputs } : outputs;
      this.snapshot.touch();
    }
    this.snapshot.flush();
    return stack?.outputs ?? {};
  }

  private track<T>(work: Promise<T>): Promise<T> {
    this.inFlight.add(work);
    const forget = () => void this.inFlight.delete(work);
    work.then(forget, forget);
    return work;
  }

  private count(step: Step): PropertyDiff[] {
    const op = operation(step);
    const diff = describeDifferences(step.diff ?? []);
    const { urn, type } = subject(step);
    if (type !== PROVIDER_TYPE) {
      if (op !== "delete-replaced") {
        this.changes[op] = (this.changes[op] ?? 0) + 1;
      }
      if (op !== "same") {
        this.steps.push({ op, urn, diff });
      }
    }
    return diff;
  }

  private emit(
    kind: "start" | "done" | "failed" | "skipped",
    step: Step,
    more: { seconds?: number; diff?: PropertyDiff[]; error?: string } = {},
  ): void {
    const { urn, type } = subject(step);
    if (type !== PROVIDER_TYPE) {
      this.options.onEvent({ kind, op: operation(step), urn, type, name: nameOf(urn), ...more });
    }
  }
}

/** Commands name no provider; Pulumi then makes this one, which has no settings. */
function defaultProvider(): Goal {
  return {
    type: PROVIDER_TYPE,
    name: `default_${command.COMMAND_VERSION.replaceAll(".", "_")}`,
    custom: true,
    inputs: { version: command.COMMAND_VERSION },
    parent: "",
    dependencies: [],
    propertyDependencies: {},
    additionalSecretOutputs: [],
    aliases: [],
    customTimeouts: {},
    replaceOnChanges: [],
    deletedWith: "",
  };
}

/** Steps by the URN of what they are about. */
function halves(steps: readonly Step[]): Map<string, Step[]> {
  const found = new Map<string, Step[]>();
  for (const step of steps) {
    const { urn } = subject(step);
    found.set(urn, [...(found.get(urn) ?? []), step]);
  }
  return found;
}
