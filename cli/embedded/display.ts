import type { PropertyDiff, StepEvent } from "./types";

const DONE: Record<string, string> = {
  create: "created",
  update: "updated",
  replace: "replaced",
  delete: "deleted",
  "delete-replaced": "deleted old",
  "remove-pending-replace": "forgot",
};

/** One line (with `diff`, one more a changed property) for an event; undefined for what is not told. */
export function describeEvent(
  event: StepEvent,
  options: { diff?: boolean } = {},
): string | undefined {
  switch (event.kind) {
    case "log":
      return event.severity === "output" ? undefined : `${event.severity}: ${event.message}`;
    case "summary": {
      const counts = Object.entries(event.changes).map(([op, count]) => `${count} ${op}`);
      return counts.length ? counts.join(", ") : "nothing to do";
    }
    case "start":
      return `${event.name}: ${event.op} ...`;
    case "skipped":
    case "failed":
      return `${event.name}: ${event.op} ${event.kind}: ${event.error ?? ""}`;
    case "done": {
      if (event.op === "same") {
        return undefined;
      }
      const time = event.seconds === undefined ? "" : ` (${event.seconds.toFixed(1)} s)`;
      const lines = options.diff
        ? (event.diff ?? []).map((change) => `    ${describeDiff(change)}`)
        : [];
      return [`${event.name}: ${DONE[event.op] ?? event.op}${time}`, ...lines].join("\n");
    }
  }
}

/** `environment.SPEC.fareAbove: "30" -> "25"` */
export function describeDiff({ path, kind, old, new: now }: PropertyDiff): string {
  const text = (value: unknown) => JSON.stringify(value);
  switch (kind) {
    case "add":
      return `+ ${path}: ${text(now)}`;
    case "delete":
      return `- ${path}: ${text(old)}`;
    case "update":
      return `~ ${path}: ${text(old)} -> ${text(now)}`;
  }
}
