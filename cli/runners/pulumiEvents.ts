import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation";
import { describeDifferences, differences } from "../../embedded/diff";
import { nameOf } from "../../embedded/urn";
import type { Value } from "../../embedded/values";
import type { Changes, PropertyDiff, StepEvent, StepOp } from "./runner";

/** The CLI's steps by the names that both runners share; what is not here is not reported. */
const ops: Readonly<Record<string, StepOp>> = {
  same: "same",
  create: "create",
  update: "update",
  delete: "delete",
  "create-replacement": "replace",
  "delete-replaced": "delete-replaced",
};

/** Follows the CLI's engine events and reports them as the embedded runner reports its own. */
export class PulumiEvents {
  changes: Changes = {};
  readonly errors: string[] = [];
  private readonly begun = new Map<string, number>();
  private readonly reasons = new Map<string, string>();

  constructor(private readonly tell: (event: StepEvent) => void) {}

  take(event: EngineEvent): void {
    const { resourcePreEvent, resOutputsEvent, resOpFailedEvent } = event;
    if (resourcePreEvent && !resourcePreEvent.planning) this.start(resourcePreEvent.metadata);
    if (resOutputsEvent) this.end("done", resOutputsEvent.metadata, resOutputsEvent.planning);
    if (resOpFailedEvent) this.end("failed", resOpFailedEvent.metadata);
    if (event.diagnosticEvent) this.diagnose(event.diagnosticEvent);
    if (event.summaryEvent) {
      this.changes = event.summaryEvent.resourceChanges;
      this.tell({ kind: "summary", changes: this.changes });
    }
  }

  private start(metadata: StepEventMetadata): void {
    const op = ops[metadata.op];
    if (op === undefined || op === "same") return;
    this.begun.set(`${metadata.op} ${metadata.urn}`, Date.now());
    this.tell({ kind: "start", op, ...named(metadata) });
  }

  private end(kind: "done" | "failed", metadata: StepEventMetadata, planning = false): void {
    const op = ops[metadata.op];
    if (op === undefined) return;
    const begun = this.begun.get(`${metadata.op} ${metadata.urn}`);
    const error = this.reasons.get(metadata.urn);
    if (kind === "failed") this.errors.push(`${named(metadata).name}: ${error ?? "failed"}`);
    this.tell({
      kind,
      op,
      ...named(metadata),
      ...(begun === undefined ? {} : { seconds: (Date.now() - begun) / 1000 }),
      ...(kind === "failed" && error !== undefined ? { error } : {}),
      ...(kind === "failed" || op === "same" ? {} : { diff: diffOf(metadata) }),
      ...(planning && metadata.new ? { inputs: metadata.new.inputs } : {}),
    });
  }

  private diagnose(event: NonNullable<EngineEvent["diagnosticEvent"]>): void {
    if (event.ephemeral) return;
    const message = event.message.replace(/<\{%[^%]*%\}>/g, "").trim();
    // That the whole failed is known by the CLI's exit, and why by what it said before.
    if (message === "" || /^(update|preview|destroy|refresh) failed$/.test(message)) return;
    const severity = event.severity === "info#err" ? "info" : event.severity;
    if (severity === "error") {
      // The reason of a step comes before its failure; the program's own errors have no step.
      if (event.urn && !event.urn.includes("::pulumi:pulumi:Stack::")) {
        this.reasons.set(event.urn, message);
        return;
      }
      this.errors.push(message);
    }
    this.tell({ kind: "log", severity, message, ...(event.urn ? { urn: event.urn } : {}) });
  }
}

function named({ urn, type }: StepEventMetadata): { urn: string; type: string; name: string } {
  return { urn, type, name: nameOf(urn) };
}

/** Changed inputs; where a string holds JSON on both sides, what changed inside. */
function diffOf({ old, new: now }: StepEventMetadata): PropertyDiff[] {
  if (!old || !now) return [];
  return describeDifferences(differences(old.inputs as Value, now.inputs as Value));
}
