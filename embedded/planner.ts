import { checkInputs, commandType, needsReplace } from "./command";
import { differences } from "./diff";
import { Refusal } from "./errors";
import { dependents } from "./graph";
import { subject, type Step } from "./steps";
import type { Goal, Resource } from "./types";
import { formerUrns, makeUrn } from "./urn";
import { unknownValue } from "./values";

export const providerType = "pulumi:providers:command";

/**
 * Decides what has to be done for each resource, as Pulumi's step generator does
 * (pkg/resource/deploy/step_generator.go of pulumi/pulumi, version 3.248).
 */
export class Planner {
  /** Of a URN in the state, the URN that the resource has now. */
  readonly renamedTo = new Map<string, string>();
  private readonly renamedFrom = new Map<string, string>();
  /** What the state has by URN, without what only waits for its delete. */
  readonly olds: ReadonlyMap<string, Resource>;
  /** What the program has registered, by URN; it is not deleted at the end. */
  private readonly seen = new Map<string, Resource>();
  private readonly deletes = new Set<string>();
  private readonly alreadyDeleted = new Set<Resource>();

  /**
   * @param base the resources of the state
   * @param forced URNs of resources to replace in any case
   * @param complain takes what a preview goes on after and an up is refused for
   */
  constructor(
    private readonly own: Readonly<Record<"stack" | "project", string>>,
    private readonly base: readonly Resource[],
    private readonly forced: readonly string[],
    private readonly complain?: (message: string) => void,
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

  /** The steps that make the resource what the program wants; nothing is awaited in here. */
  plan(goal: Goal, provider: string): Step[] {
    const urn = this.urnOf(goal);
    const { name, aliases: _, deleteBeforeReplace, parent = "", ...wanted } = goal;
    if (parent && !this.seen.has(parent)) {
      throw new Refusal(`could not find parent resource ${parent}`);
    }
    if (this.seen.has(urn)) {
      throw new Refusal(`Duplicate resource URN '${urn}'; try giving it a unique name`);
    }
    const old = this.findOld(urn, goal);
    const inherited = this.seen.get(parent);
    const protect = goal.protect ?? inherited?.protect;
    const deletedWith = goal.deletedWith || inherited?.deletedWith;
    const { created, modified } = old ?? {};
    const now = { urn, ...wanted, parent, protect, deletedWith, provider, created, modified };
    this.seen.set(urn, now);
    const wrong = goal.type === commandType && checkInputs(goal.inputs);
    if (wrong) throw new Refusal(`${name}: ${wrong}`);

    if (!old) return [{ kind: "create", now }];
    // The real engine keeps more inputs of a provider than are known here.
    if (goal.type === providerType) {
      return [{ kind: "same", old, now: { ...now, inputs: old.inputs } }];
    }
    if (this.deletes.delete(urn)) return [{ kind: "replace", old, now }];
    const diff = differences(old.inputs ?? {}, goal.inputs);
    const forced = this.forced.includes(urn);
    const replace = goal.custom && (forced || needsReplace(diff, goal.replaceOnChanges));
    if (!replace && !old.pendingReplacement) {
      return [{ kind: diff.length ? "update" : "same", old, now, diff }];
    }
    if (now.protect && old.protect) {
      const message = `unable to replace resource "${urn}" as it is currently marked for protection. To unprotect the resource, remove the \`protect\` flag from the resource in your Pulumi program and run again`;
      if (!this.complain) throw new Refusal(message);
      this.complain(message);
    }
    const first = deleteBeforeReplace ? this.deletesBefore(old) : [];
    return [...first, { kind: "replace", old, now, diff }];
  }

  private findOld(urn: string, goal: Goal): Resource | undefined {
    const former = formerUrns({ ...this.own, ...goal }, goal.aliases ?? [], this.renamedFrom);
    const taken = this.renamedTo.get(urn);
    if (taken) {
      throw new Refusal(
        `Duplicate resource URN '${urn}' conflicting with alias on resource with URN '${taken}'`,
      );
    }
    const found = [urn, ...former].find((candidate) => this.olds.has(candidate));
    if (found && found !== urn) {
      const other = this.seen.has(found) ? found : this.renamedTo.get(found);
      if (other) {
        throw new Refusal(
          `Duplicate resource alias '${found}' applied to resource with URN '${urn}' conflicting with resource with URN '${other}'`,
        );
      }
      this.renamedTo.set(found, urn);
      this.renamedFrom.set(urn, found);
    }
    return found ? this.olds.get(found) : undefined;
  }

  /** The deletes that must come before a resource with deleteBeforeReplace is made again. */
  private deletesBefore(root: Resource): Step[] {
    const replaced = new Set([root.urn]);
    const affected = dependents(
      root,
      this.base,
      new Set([...this.seen.keys(), ...this.deletes]),
    ).filter(({ urn, custom, inputs = {}, propertyDependencies = {}, replaceOnChanges }) => {
      const unknown = Object.entries(propertyDependencies)
        .filter(([, urns]) => urns.some((each) => replaced.has(each)))
        .map(([name]) => [name, unknownValue] as const);
      const diff = differences(inputs, { ...inputs, ...Object.fromEntries(unknown) });
      const replace = custom && needsReplace(diff, replaceOnChanges);
      if (replace) replaced.add(urn);
      return replace;
    });
    const steps: Step[] = [];
    for (const old of affected.reverse()) {
      if (this.alreadyDeleted.has(old)) continue;
      if (old.protect && !old.delete) {
        throw new Refusal(
          `unable to replace resource "${old.urn}" as part of replacing "${root.urn}" as it is currently marked for protection`,
        );
      }
      this.deletes.add(old.urn);
      this.alreadyDeleted.add(old);
      steps.push({ kind: "delete", old, replaced: !old.delete });
    }
    if (!root.pendingReplacement) steps.push({ kind: "delete", old: root, replaced: true });
    return steps;
  }

  /** The deletes of what the state has and the program did not register, and of replaced halves. */
  rest(): Step[] {
    const steps = this.base.flatMap((old): Step[] => {
      if (old.delete) {
        return this.alreadyDeleted.has(old) ? [] : [{ kind: "delete", old, replaced: true }];
      }
      const registered = this.seen.has(this.renamedTo.get(old.urn) ?? old.urn);
      return registered ? [] : [{ kind: old.pendingReplacement ? "forget" : "delete", old }];
    });
    steps.forEach((step) => this.deletes.add(subject(step).urn));
    return steps;
  }
}
