import { randomUUID } from "node:crypto";
import { act, commandType, markSecrets, newId } from "./command";
import type { Difference } from "./diff";
import { Protected } from "./errors";
import type { Snapshot } from "./snapshot";
import type { Resource, RunOptions, StepOp, Timeouts } from "./types";
import { nameOf } from "./urn";
import { unknownValue, type Properties } from "./values";

/** From `old` in the state to `now`; `replaced` is the delete of the old half of a replacement. */
export type Step = { readonly diff?: Difference[]; readonly replaced?: boolean } & (
  | { readonly kind: "create"; readonly old?: undefined; readonly now: Resource }
  | { readonly kind: "same" | "update" | "replace"; readonly old: Resource; readonly now: Resource }
  | { readonly kind: "delete" | "forget"; readonly old: Resource; readonly now?: undefined }
);

/** The resource of the step, as it will be. */
export function subject(step: Step): Resource {
  return step.now ?? step.old;
}

export function operation(step: Step): StepOp {
  if (step.kind === "forget") return "remove-pending-replace";
  return step.kind === "delete" && step.replaced ? "delete-replaced" : step.kind;
}

/** Carries out single steps: runs what a Command says and notes the effect in the state. */
export class StepRunner {
  /** @param goesWithOther whether a resource is not deleted, because what contains it is */
  constructor(
    private readonly options: RunOptions,
    private readonly snapshot: Snapshot,
    private readonly goesWithOther: (old: Resource) => boolean,
  ) {}

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case "same":
        step.now.id = step.old.id;
        step.now.outputs = step.old.outputs;
        return this.snapshot.note({ gone: step.old, made: step.now });
      case "forget":
        return this.snapshot.note({ gone: step.old });
      case "delete":
        return this.delete(step.old, !!step.replaced);
      default:
        return this.make(step);
    }
  }

  /** Creates, updates, or creates what replaces `old`, which is then deleted at the end. */
  private make({ kind, old, now }: Step & { now: Resource }): Promise<void> {
    const update = kind === "update";
    if (update) now.id = old.id;
    return this.snapshot.during(update ? "updating" : "creating", now, async () => {
      const { inputs = {}, additionalSecretOutputs = [] } = now;
      let outputs = update ? old.outputs : now.custom ? inputs : undefined;
      if (now.type === commandType) {
        outputs = await this.act(update ? "update" : "create", now, inputs, old?.outputs);
      }
      now.outputs = markSecrets(outputs ?? {}, inputs, additionalSecretOutputs);
      now.modified = new Date().toISOString();
      if (update) return { made: now, gone: old };
      now.created = now.modified;
      now.id = now.custom ? this.newId(now) : undefined;
      if (old && !old.pendingReplacement) old.delete = true;
      return { made: now, gone: old?.pendingReplacement ? old : undefined };
    });
  }

  private newId({ type, urn }: Resource): string {
    if (type === commandType) return this.options.preview ? "" : newId(nameOf(urn));
    return this.options.preview ? unknownValue : randomUUID();
  }

  private async delete(old: Resource, replaced: boolean): Promise<void> {
    if (old.protect && !replaced && !old.delete) {
      throw new Protected(
        `resource "${old.urn}" cannot be deleted because it is protected. To unprotect the ` +
          "resource, remove the `protect` flag from the resource in your Pulumi program and run again",
      );
    }
    await this.snapshot.during("deleting", old, async () => {
      const { outputs = {} } = old;
      if (old.type === commandType && !this.goesWithOther(old)) {
        await this.act("delete", old, outputs, outputs);
      }
      // The old half of a replacement stays in the state until the new one is made.
      if (replaced && !old.delete) old.pendingReplacement = true;
      return { gone: old.pendingReplacement ? undefined : old };
    });
  }

  /** Runs a verb of a Command. A preview runs nothing, so it cannot know what would be printed. */
  private async act(
    verb: keyof Timeouts,
    { urn, customTimeouts }: Resource,
    inputs: Properties,
    before: Properties = {},
  ): Promise<Properties> {
    const { preview, projectDir, killSignal, onEvent } = this.options;
    if (preview) return { ...inputs, stdout: unknownValue, stderr: unknownValue };
    return act(verb, inputs, verb === "create" ? {} : before, {
      cwd: projectDir,
      timeout: customTimeouts?.[verb] ?? 0,
      killSignal,
      onLine: (message) => onEvent({ kind: "log", severity: "output", message, urn }),
    });
  }
}
