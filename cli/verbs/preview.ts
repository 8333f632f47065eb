import { UserError } from "../../infra/contracts/errors";
import { plural } from "../../report/format";
import { diffLine, expectation, isTold, logLines, planLine, reasonLines } from "../terminal/lines";
import type { PropertyDiff, StepEvent, StepOp } from "../runners/runner";
import { deployOptions, openToDeploy } from "../session";
import { verb } from "../verb";

/** What would be done, by operation. */
const signs: Partial<Record<StepOp, string>> = {
  create: "+  create ",
  update: "~  update ",
  replace: "+- replace",
  delete: "-  delete ",
};

export const preview = verb({
  summary: "show what a start would do; of the stack, --config alone is kept",
  options: {
    diff: { type: "boolean", help: "shows why, with old and new value of each changed input" },
    "expect-no-changes": { type: "boolean", help: "exits with 1 if something would change" },
    json: {
      type: "boolean",
      help: "prints one JSON object: changes, and steps with op, urn, name and diff",
    },
    ...deployOptions,
  },
  async run({ stack, options }) {
    const { runner, runs } = await openToDeploy(stack, options);
    const say = options.json ? console.error : console.log;
    say(expectation(stack, runs));
    const steps: ToldStep[] = [];
    const outcome = await runner.preview((event) => {
      if (event.kind === "log")
        logLines(event.severity, event.message).forEach((line) => say(line));
      if (event.kind !== "done" || !isTold(event)) return;
      const { op, urn, name, diff = [] } = event;
      steps.push({ op, urn, name, diff });
    });
    if (options.json) console.log(JSON.stringify({ changes: outcome.changes, steps }));
    else for (const line of previewLines(steps, options.diff)) console.log(line);
    say(planLine(outcome.changes));
    if (!outcome.ok) {
      for (const line of outcome.errors.flatMap((error) => reasonLines(error))) say(line);
      return 1;
    }
    if (options["expect-no-changes"] && steps.length > 0) {
      throw new UserError(
        `${plural(steps.length, "resource")} would change`,
        "--expect-no-changes was given",
        "npm run preview -- --diff shows what and why",
      );
    }
    return 0;
  },
});

type ToldStep = Required<Pick<Extract<StepEvent, { op: StepOp }>, "op" | "urn" | "name" | "diff">>;

/** A line a step with the names of what changed; with `diff`, a line each with both values. */
export function previewLines(steps: readonly ToldStep[], diff = false): string[] {
  return steps.flatMap((step) => {
    const head = `${signs[step.op]} ${step.name}`;
    const causes = step.op === "update" || step.op === "replace" ? causesOf(step.diff) : [];
    if (diff) return [head, ...causes.map(({ line }) => `      ${line}`)];
    const names = [...new Set(causes.map(({ name }) => name))];
    return [names.length > 0 ? `${head}  (${names.join(", ")})` : head];
  });
}

/** Inputs of a step that follow from its others. */
const derived = /^(version|supervisor)$/;
/** A hash, bare or after a name or a number as in `engine:0123456789ab`. */
const hash = /^(?:[^\s"]*[.:])?[0-9a-f]{12,64}$/;
/** A generation as `infra/stack/records.ts` writes it: `2, after it stopped`. */
const generation = /^\d+, after it ([^.]+)/;

interface Cause {
  readonly name: string;
  readonly line: string;
}

/**
 * Why a step is done: what changed by itself, and nothing that is computed from it. A run is replaced
 * for its triggers alone; the rest of its inputs repeats them.
 */
function causesOf(diff: readonly PropertyDiff[]): Cause[] {
  const triggers = diff.filter(({ path }) => path.startsWith("triggers"));
  const known = (triggers.length > 0 ? triggers : diff)
    .filter((each) => each.new !== unknown)
    .map(({ path, ...each }) => {
      return { ...each, path: path.replace(/^(triggers\[0\]|environment\.SPEC)\./, "") };
    });
  const causes = known.filter(({ path }) => !derived.test(path));
  if (known.length === 0 && diff.length > 0) return [outside];
  return (causes.length > 0 ? causes : known).map(causeOf);
}

const unknown = "[unknown]";
const outside: Cause = { name: "what it depends on", line: "~ what it depends on" };

function causeOf(change: PropertyDiff): Cause {
  const { path, old, new: now } = change;
  const name = /[^.[\]]+(?=[.[\]]*$)/.exec(path)?.[0] ?? path;
  const [, why] = generation.exec(String(now)) ?? [];
  if (why !== undefined) {
    const words = /^(generation|value)$/.test(name) ? why : `${name} ${why}`;
    return { name: words, line: `~ ${words}` };
  }
  const hashes = hash.test(String(old)) && hash.test(String(now));
  return { name, line: hashes ? `~ ${path}` : diffLine(change) };
}
