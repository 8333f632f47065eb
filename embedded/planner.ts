import * as command from "./command";
import type { Difference } from "./diff";
import { dependents } from "./graph";
import type { Goal, Resource, StepOp } from "./types";
import { formerUrns, makeUrn } from "./urn";
import { UNKNOWN } from "./values";

export const PROVIDER_TYPE = "pulumi:providers:command";

/** What the program or the state does not allow; it ends the deployment. */
export class Refusal extends Error {}

export interface Step {
  readonly kind: "same" | "create" | "update" | "replace" | "delete" | "forget";
  /** What the state has; undefined on `create`. */
  readonly old?: Resource;
  /** What it becomes; undefined on `delete` and `forget`. */
  readonly now?: Resource;
  readonly diff?: Difference[];
  /** Of a `delete`: the old half of a replacement. */
  readonly replaced?: boolean;
}

/** The resource that the step is about, as it will be. */
export function subject(step: Step): Resource {
  return (step.now ?? step.old) as Resource;
}

export function operation(step: Step): StepOp {
  switch (step.kind) {
    case "delete":
      return step.replaced ? "delete-replaced" : "delete";
    case "forget":
      return "remove-pending-replace";
    default:
      return step.kind;
  }
}

/**
 * Decides what has to be done for each resource, as Pulumi's step generator does
 * (pkg/resource/deploy/step_generator.go of pulumi/pulumi, version 3.248).
 */
export class Planner {
  /** Of a URN in the state, the URN that the resource has now. */
  readonly renamedTo = new Map<string, string>();
  private readonly renamedFrom = new Map<string, string>();
  private readonly olds: ReadonlyMap<string, Resource>;
  /** URNs that the program has registered; they are not deleted at the end. */
  private readonly seen = new Set<string>();
  private readonly deletes = new Set<string>();
  private readonly alreadyDeleted = new Set<Resource>();
  private readonly goals = new Map<string, Pick<Goal, "protect" | "deletedWith">>();

  /**
   * @param base the resources of the state
   * @param forced URNs of resources to replace in any case
   * @param complain takes what a preview goes on after and an up is refused for
   */
  constructor(
    private readonly stack: string,
    private readonly project: string,
    private readonly base: readonly Resource[],
    private readonly forced: readonly string[],
    private readonly complain?: (message: string) => void,
  ) {
    this.olds = new Map(base.filter((old) => !old.delete).map((old) => [old.urn, old]));
  }

  urnOf({ parent, type, name }: Pick<Goal, "parent" | "type" | "name">): string {
    return makeUrn(this.stack, this.project, parent, type, name);
  }

  old(urn: string): Resource | undefined {
    return this.olds.get(urn);
  }

  /** Whether a resource need not be deleted, as what it belongs to is. */
  goesWithOther(old: Resource): boolean {
    return !!old.deletedWith && this.deletes.has(old.deletedWith);
  }

  /** What it takes to make the resource what the program wants; nothing is awaited in here. */
  plan(goal: Goal, provider: string): Step[] {
    const urn = this.urnOf(goal);
    if (goal.parent && !this.seen.has(goal.parent)) {
      throw new Refusal(`could not find parent resource ${goal.parent}`);
    }
    if (this.seen.has(urn)) {
      throw new Refusal(`Duplicate resource URN '${urn}'; try giving it a unique name`);
    }
    this.seen.add(urn);
    const old = this.findOld(urn, goal);
    const parent = this.goals.get(goal.parent);
    const protect = goal.protect ?? parent?.protect;
    const deletedWith = goal.deletedWith || parent?.deletedWith || "";
    this.goals.set(urn, { protect, deletedWith });

    const now: Resource = {
      urn,
      custom: goal.custom,
      type: goal.type,
      inputs: goal.inputs,
      parent: goal.parent,
      protect,
      dependencies: goal.dependencies,
      provider,
      propertyDependencies: goal.propertyDependencies,
      additionalSecretOutputs: goal.additionalSecretOutputs,
      customTimeouts: goal.customTimeouts,
      deletedWith,
      created: old?.created,
      modified: old?.modified,
      replaceOnChanges: goal.replaceOnChanges,
    };
    if (goal.type === command.COMMAND_TYPE) {
      const wrong = command.checkInputs(goal.inputs);
      if (wrong) {
        throw new Refusal(`${goal.name}: ${wrong}`);
      }
    }
    if (!old) {
      return [{ kind: "create", now }];
    }
    if (goal.type === PROVIDER_TYPE) {
      // The real engine notes more of it than there is to know here.
      return [{ kind: "same", old, now: { ...now, inputs: old.inputs } }];
    }
    if (this.deletes.delete(urn)) {
      return [{ kind: "replace", old, now }];
    }
    const diff = command.compareInputs(old.inputs, goal.inputs);
    const forced = this.forced.includes(urn);
    const replace = goal.custom && (forced || command.needsReplace(diff, goal.replaceOnChanges));
    if (!replace && !old.pendingReplacement) {
      return [{ kind: diff.length ? "update" : "same", old, now, diff }];
    }
    if (now.protect && old.protect) {
      const message = `unable to replace resource "${urn}" as it is currently marked for protection. To unprotect the resource, remove the \`protect\` flag from the resource in your Pulumi program and run again`;
      if (!this.complain) {
        throw new Refusal(message);
      }
      this.complain(message);
    }
    const first = goal.deleteBeforeReplace ? this.deletesBefore(old) : [];
    return [...first, { kind: "replace", old, now, diff }];
  }

  private findOld(urn: string, goal: Goal): Resource | undefined {
    const naming = { ...goal, stack: this.stack, project: this.project };
    const former = formerUrns(naming, goal.aliases, this.renamedFrom);
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
    const condemned = dependents(root, this.base, new Set([...this.seen, ...this.deletes])).filter(
      (resource) => {
        const lost = Object.entries(resource.propertyDependencies ?? {}).filter(([, urns]) =>
          urns.some((urn) => replaced.has(urn)),
        );
        const unknown = Object.fromEntries(lost.map(([name]) => [name, UNKNOWN]));
        const diff = command.compareInputs(resource.inputs, { ...resource.inputs, ...unknown });
        const falls =
          resource.custom && command.needsReplace(diff, resource.replaceOnChanges ?? []);
        if (falls) {
          replaced.add(resource.urn);
        }
        return falls;
      },
    );
    const steps: Step[] = [];
    for (const resource of condemned.reverse()) {
      if (this.alreadyDeleted.has(resource)) {
        continue;
      }
      if (resource.protect && !resource.delete) {
        throw new Refusal(
          `unable to replace resource "${resource.urn}" as part of replacing "${root.urn}" as it is currently marked for protection`,
        );
      }
      this.deletes.add(resource.urn);
      this.alreadyDeleted.add(resource);
      steps.push({ kind: "delete", old: resource, replaced: !resource.delete });
    }
    return root.pendingReplacement
      ? steps
      : [...steps, { kind: "delete", old: root, replaced: true }];
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
