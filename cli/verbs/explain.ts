import { npm } from "../../infra/contracts/check";
import { readHistory, type Attempt } from "../../results/history";
import { isVerified } from "../../results/outcome";
import { runKey, type Inputs } from "../../results/result";
import { moment } from "../../report/format";
import { plain } from "../../report/html";
import { declaredRuns, openToDeploy } from "../session";
import { textTable } from "../terminal/lines";
import { verb } from "../verb";
import { noRun } from "./deploy";

export const explain = verb({
  summary: "show what a run depends on, what of it has changed, and how to repeat it",
  positionals: [{ name: "engine/workload" }],
  options: { json: { type: "boolean", help: "prints one JSON object" } },
  async run({ stack, positionals: [run], options }) {
    const session = await openToDeploy(stack);
    if (!session.runs.includes(run)) throw noRun(run, stack, session.runs);
    const declared = await declaredRuns(session);
    const explanation = explainRun(run, declared.get(run)!.inputs, readHistory(stack).attempts);
    const toDo = session.runs.filter((name) => declared.get(name)?.isDone);
    const others = toDo.filter((name) => name !== run);
    const next = { command: npm(stack, "rerun", run), others, deployed: !toDo.includes(run) };
    if (options.json) console.log(JSON.stringify(asJson(explanation, next), undefined, 2));
    else for (const line of explanationLines(explanation, next)) console.log(line);
    return 0;
  },
});

/** Why a run would be done again, or why not. */
type Explanation = ReturnType<typeof explainRun>;
/** One input of a run; undefined where the run had no input of that name, or has none now. */
type ExplainedInput = Explanation["inputs"][number];

/**
 * Compares what a run depends on now with what it depended on when it last came to a result.
 *
 * @param attempts the history, in order
 */
export function explainRun(run: string, now: Inputs, attempts: readonly Attempt[]) {
  const own = attempts.filter((attempt) => attempt.run === run);
  const recorded = own.filter((attempt) => isVerified(attempt) && attempt.inputs).at(-1);
  const old = recorded?.inputs ?? {};
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const value = (inputs: Inputs, name: string) =>
    Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  return {
    run,
    /** The last attempt whose inputs are known. */
    recorded,
    /** The last attempt of all, which may have failed. */
    last: own.at(-1),
    key: runKey(now),
    inputs: names.map((name) => ({ name, old: value(old, name), now: value(now, name) })),
  };
}

/** The inputs that differ. */
export function changed({ inputs }: Explanation) {
  return inputs.filter(({ old, now }) => old !== now);
}

/** What goes with an explanation. */
interface WhatToDo {
  /** Repeats the run. */
  readonly command: string;
  /** The other runs that any deployment would do now. */
  readonly others: readonly string[];
  /** Whether the result of exactly these inputs is deployed. */
  readonly deployed: boolean;
}

/** The explanation for people; what has changed comes first. */
export function explanationLines(
  explanation: Explanation,
  { command, others, deployed }: WhatToDo,
): string[] {
  const { run, key, recorded, last, inputs } = explanation;
  const differing = changed(explanation);
  const same = inputs.filter((input) => !differing.includes(input));
  return [
    run,
    recorded && recorded.key !== key ? `key ${recorded.key} -> ${key}` : `key ${key}`,
    recorded
      ? `recorded by attempt ${recorded.attempt} of ${moment(plain(recorded.at))}`
      : "no recorded result with known inputs: all inputs are new",
    ...(last && last.status !== "verified"
      ? [`the last attempt: ${last.status}: ${plain(last.reason)}`]
      : []),
    "",
    ...textTable([["input", "old", "now", ""], ...[...differing, ...same].map(row)]),
    "",
    verdict(explanation, deployed),
    `to repeat this run alone: ${command}`,
    ...(others.length > 0
      ? [`(it also does what any deployment would do now: ${others.join(", ")})`]
      : []),
  ];
}

function row({ name, old, now }: ExplainedInput): string[] {
  const word = old === undefined ? "new" : now === undefined ? "gone" : "changed";
  return [name, plain(old ?? "-"), plain(now ?? "-"), old === now ? "" : word];
}

function verdict(explanation: Explanation, deployed: boolean): string {
  const names = changed(explanation).map(({ name }) => name);
  if (deployed) return "nothing has changed: npm start does not repeat it";
  if (!explanation.recorded) return "npm start runs it";
  if (names.length > 0) return `npm start repeats it, because of ${names.join(", ")}`;
  return "nothing has changed, but no result of it is deployed: npm start repeats it";
}

function asJson(explanation: Explanation, { command, others, deployed }: WhatToDo) {
  const { run, key, recorded, last, inputs } = explanation;
  return {
    run,
    key: { old: recorded?.key ?? null, now: key },
    inputs: Object.fromEntries(
      inputs.map(({ name, old, now }) => [name, { old: old ?? null, now: now ?? null }]),
    ),
    changed: changed(explanation).map(({ name }) => name),
    attempt: recorded?.attempt ?? null,
    lastAttempt: last ? { attempt: last.attempt, status: last.status } : null,
    deployed,
    command,
    alsoDone: others,
  };
}
