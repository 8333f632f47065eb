import { UserError } from "../../infra/contracts/errors";
import { diffLine, isTold, logLines, planLine, reasonLines } from "../terminal/lines";
import type { PreviewOutcome, PropertyDiff, StepEvent, StepOp } from "../runners/runner";
import { makingOptions, openToDeploy } from "../session";
import type { Verb } from "../verb";

/** What would be done, by operation. */
const signs: Partial<Record<StepOp, string>> = {
  create: "+  create ",
  update: "~  update ",
  replace: "+- replace",
  delete: "-  delete ",
};

export const preview: Verb = {
  usage: "[--diff] [--expect-no-changes] [--json] [--config key=value ...]",
  summary: "say what a start would do; nothing is changed",
  help: [
    "--diff               shows each changed input, with its old and new value",
    "--expect-no-changes  exits with 1 if there is something to do",
    "--json               prints one JSON object: changes, and steps with op, urn, name and diff",
    "--config             sets a key and keeps it for this stack, as pulumi preview does",
  ],
  syntax: {
    options: {
      ...makingOptions,
      diff: { type: "boolean" },
      "expect-no-changes": { type: "boolean" },
      json: { type: "boolean" },
    },
  },
  async run(args) {
    const { runner } = await openToDeploy(args);
    const say = args.flag("json") ? console.error : console.log;
    const outcome = await runner.preview({
      onEvent: (event) => tellLog(event, say),
      stop: neverAborted,
      kill: neverAborted,
    });
    const steps = toldSteps(outcome);
    if (args.flag("json")) console.log(JSON.stringify({ changes: outcome.changes, steps }));
    else for (const line of previewLines(steps, args.flag("diff"))) console.log(line);
    say(planLine(outcome.changes));
    if (!outcome.ok) {
      for (const line of outcome.errors.flatMap((error) => reasonLines(error))) say(line);
      return 1;
    }
    if (args.flag("expect-no-changes") && steps.length > 0) {
      throw new UserError(
        `${steps.length} ${steps.length === 1 ? "resource" : "resources"} would change`,
        "--expect-no-changes was given",
        "npm run preview -- --diff shows what and why",
      );
    }
    return 0;
  },
};

const neverAborted = new AbortController().signal;

interface ToldStep {
  readonly op: StepOp;
  readonly urn: string;
  readonly name: string;
  readonly diff: readonly PropertyDiff[];
}

/** The steps about resources that do something, each once. */
function toldSteps({ steps }: PreviewOutcome): ToldStep[] {
  return steps
    .map((step) => ({
      ...step,
      type: typeOf(step.urn),
      name: step.urn.split("::").slice(3).join("::"),
    }))
    .filter((step) => isTold({ kind: "done", ...step }))
    .map(({ op, urn, name, diff }) => ({ op, urn, name, diff }));
}

function typeOf(urn: string): string {
  return urn.split("::")[2].split("$").at(-1) ?? "";
}

/** A line a step, and with `diff` one more a changed input; without, the names of what changed. */
export function previewLines(steps: readonly ToldStep[], diff: boolean): string[] {
  return steps.flatMap((step) => {
    const head = `${signs[step.op]} ${step.name}`;
    if (diff) return [head, ...step.diff.map((each) => `      ${diffLine(each)}`)];
    const names = step.op === "update" || step.op === "replace" ? changedNames(step) : [];
    return [names.length > 0 ? `${head}  (${names.join(", ")})` : head];
  });
}

/** The last parts of what changed, such as `fareAbove`; of a run, only what is part of its key. */
function changedNames({ diff }: ToldStep): string[] {
  const paths = diff.map(({ path }) => path);
  const triggers = paths.filter((path) => path.startsWith("triggers"));
  const told = triggers.length > 0 ? triggers : paths;
  return [
    ...new Set(
      told.map(
        (path) =>
          path
            .split(/[.[\]]+/)
            .filter(Boolean)
            .at(-1) ?? path,
      ),
    ),
  ];
}

function tellLog(event: StepEvent, say: (line: string) => void): void {
  if (event.kind !== "log") return;
  for (const line of logLines(event.severity, event.message)) say(line);
}
