import { commandType, unsupportedInput } from "./command";
import { differences } from "./diff";
import { Refusal } from "./errors";
import type { Step } from "./steps";
import type { Goal, Resource } from "./types";
import { makeUrn } from "./urn";

export const providerType = "pulumi:providers:command";

/**
 * Decides what has to be done for each resource, as Pulumi's step generator does
 * (pkg/resource/deploy/step_generator.go of pulumi/pulumi, version 3.248).
 */
export class Planner {
  /** What the state has by URN, without what only waits for its delete. */
  readonly olds: ReadonlyMap<string, Resource>;
  /** What the program has registered, by URN; it is not deleted at the end. */
  private readonly seen = new Map<string, Resource>();
  private readonly deletes = new Set<string>();

  /** @param forced URNs of resources to replace in any case */
  constructor(
    private readonly own: Readonly<Record<"stack" | "project", string>>,
    private readonly base: readonly Resource[],
    private readonly forced: readonly string[],
  ) {
    this.olds = new Map(base.filter((old) => !old.delete).map((old) => [old.urn, old]));
  }

  urnOf(goal: Goal): string {
    return makeUrn({ ...this.own, ...goal });
  }

  /** Whether a resource need not be deleted, because the resource that contains it is. */
  goesWithOther(old: Resource): boolean {
    return !!old.deletedWith && this.deletes.has(old.deletedWith);
  }

  /** The step that makes the resource what the program wants; nothing is awaited in here. */
  plan(goal: Goal, provider: string): Step & { now: Resource } {
    const urn = this.urnOf(goal);
    const { name, parent = "", ...wanted } = goal;
    if (parent && !this.seen.has(parent)) {
      throw new Refusal(`could not find parent resource ${parent}`);
    }
    if (this.seen.has(urn)) {
      throw new Refusal(`Duplicate resource URN '${urn}'; try giving it a unique name`);
    }
    const old = this.olds.get(urn);
    const deletedWith = goal.deletedWith || this.seen.get(parent)?.deletedWith;
    const { created, modified } = old ?? {};
    const now = { urn, ...wanted, parent, deletedWith, provider, created, modified };
    this.seen.set(urn, now);
    const unsupported = goal.type === commandType && unsupportedInput(goal.inputs);
    if (unsupported) throw new Refusal(`${name}: ${unsupported}`);

    if (!old) return { kind: "create", now };
    // The real engine keeps more inputs of a provider than are known here.
    if (goal.type === providerType) {
      return { kind: "same", old, now: { ...now, inputs: old.inputs } };
    }
    const diff = differences(old.inputs ?? {}, goal.inputs);
    const triggered = diff.some(({ path }) => path[0] === "triggers"); // only a new Command will do
    const replace = goal.custom && (this.forced.includes(urn) || triggered);
    return { kind: replace ? "replace" : diff.length ? "update" : "same", old, now, diff };
  }

  /** The deletes of what the state has and the program did not register, and of replaced halves. */
  rest(): Step[] {
    const gone = this.base.filter((old) => old.delete || !this.seen.has(old.urn));
    gone.forEach(({ urn }) => this.deletes.add(urn));
    return gone.map((old) => ({ kind: "delete", old }));
  }
}
