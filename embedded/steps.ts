import { randomBytes, randomUUID } from "node:crypto";
import { act, commandType } from "./command";
import type { Difference } from "./diff";
import type { Snapshot } from "./snapshot";
import type { Resource, RunOptions, StepOp } from "./types";
import { nameOf } from "./urn";
import { unknownValue, type Properties } from "./values";

/** From `old` in the state to `now`. */
export type Step = { readonly diff?: Difference[] } & (
  | { readonly kind: "create"; readonly old?: undefined; readonly now: Resource }
  | { readonly kind: "same" | "update" | "replace"; readonly old: Resource; readonly now: Resource }
  | { readonly kind: "delete"; readonly old: Resource; readonly now?: undefined }
);

/** The resource of the step, as it will be. */
export function subject(step: Step): Resource {
  return step.now ?? step.old;
}

export function operation({ kind, old }: Step): StepOp {
  return kind === "delete" && old.delete ? "delete-replaced" : kind;
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
      case "delete":
        return this.delete(step.old);
      default:
        return this.make(step);
    }
  }

  /** Creates, updates, or creates what replaces `old`, which is then deleted at the end. */
  private make({ kind, old, now }: Step & { now: Resource }): Promise<void> {
    const update = kind === "update";
    if (update) now.id = old.id;
    return this.snapshot.during(update ? "updating" : "creating", now, async () => {
      const { inputs = {} } = now;
      const outputs = update ? old.outputs : now.custom ? inputs : undefined;
      now.outputs =
        now.type === commandType
          ? await this.act(update ? "update" : "create", inputs, old?.outputs)
          : (outputs ?? {});
      now.modified = new Date().toISOString();
      if (update) return { made: now, gone: old };
      now.created = now.modified;
      now.id = now.custom ? this.newId(now) : undefined;
      if (old) old.delete = true;
      return { made: now };
    });
  }

  private newId({ type, urn }: Resource): string {
    const { preview } = this.options;
    if (type !== commandType) return preview ? unknownValue : randomUUID();
    return preview ? "" : nameOf(urn) + randomBytes(4).toString("hex");
  }

  private delete(old: Resource): Promise<void> {
    return this.snapshot.during("deleting", old, async () => {
      const { outputs = {} } = old;
      if (old.type === commandType && !this.goesWithOther(old)) {
        await this.act("delete", outputs, outputs);
      }
      return { gone: old };
    });
  }

  /** Runs a verb of a Command. A preview runs nothing, so it cannot know what would be printed. */
  private async act(
    verb: "create" | "update" | "delete",
    inputs: Properties,
    before: Properties = {},
  ): Promise<Properties> {
    const { preview, projectDir, killSignal } = this.options;
    if (preview) return { ...inputs, stdout: unknownValue, stderr: unknownValue };
    return act(verb, inputs, verb === "create" ? {} : before, { cwd: projectDir, killSignal });
  }
}
