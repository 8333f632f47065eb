import { randomUUID } from "node:crypto";
import * as command from "./command";
import { commandType } from "./command";
import type { Difference } from "./diff";
import { Protected } from "./errors";
import type { Snapshot } from "./snapshot";
import type { Resource, RunOptions, StepOp, Timeouts } from "./types";
import { nameOf } from "./urn";
import { unknownValue, type Properties } from "./values";

/**
 * `old` is what the state has, `now` what it becomes; a `replaced` resource is the old half of a
 * replacement.
 */
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
        outputs = await this.act(update ? "update" : "create", now, old);
      }
      now.outputs = command.markSecrets(outputs ?? {}, inputs, additionalSecretOutputs);
      now.modified = new Date().toISOString();
      if (update) return { made: now, gone: old };
      now.created = now.modified;
      now.id = now.custom ? this.newId(now) : undefined;
      if (old && !old.pendingReplacement) old.delete = true;
      return { made: now, gone: old?.pendingReplacement ? old : undefined };
    });
  }

  private act(
    verb: "create" | "update",
    now: Resource,
    old?: Resource,
  ): Properties | Promise<Properties> {
    const { inputs = {} } = now;
    if (this.options.preview) return command.previewOutputs(inputs);
    const options = this.runOptions(now, verb);
    if (verb === "create") return command.create(inputs, options);
    return command.update(inputs, old?.outputs ?? {}, options);
  }

  private newId({ type, urn }: Resource): string {
    if (type === commandType) return this.options.preview ? "" : command.newId(nameOf(urn));
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
      if (old.type === commandType && !this.options.preview && !this.goesWithOther(old)) {
        await command.remove(old.outputs ?? {}, this.runOptions(old, "delete"));
      }
      // The old half of a replacement stays in the state until the new one is made.
      if (replaced && !old.delete) old.pendingReplacement = true;
      return { gone: old.pendingReplacement ? undefined : old };
    });
  }

  private runOptions(
    { urn, customTimeouts }: Resource,
    verb: keyof Timeouts,
  ): command.CommandOptions {
    const { projectDir, killSignal, onEvent } = this.options;
    return {
      cwd: projectDir,
      timeout: customTimeouts?.[verb] ?? 0,
      killSignal,
      onLine: (message) => onEvent({ kind: "log", severity: "output", message, urn }),
    };
  }
}
