import { npm } from "../../infra/contracts/errors";
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
    const found = explainRun(run, declared.get(run)!.inputs, readHistory(stack).attempts);
    const toDo = session.runs.filter((name) => declared.get(name)?.isDone);
    const others = toDo.filter((name) => name !== run);
    const command = npm(stack, "rerun", run);
    const explanation = { ...found, command, others, deployed: !toDo.includes(run) };
    if (options.json) console.log(JSON.stringify(asJson(explanation), undefined, 2));
    else for (const line of explanationLines(explanation)) console.log(line);
    return 0;
  },
});

type Explanation = ReturnType<typeof explainRun> & {
  readonly command: string;
  /** The other runs that any deployment would do now. */
  readonly others: readonly string[];
  /** Whether the result of exactly these inputs is deployed. */
  readonly deployed: boolean;
};

/** Compares what a run depends on now with what it depended on when it last came to a result. */
export function explainRun(run: string, now: Inputs, attempts: readonly Attempt[]) {
  const own = attempts.filter((attempt) => attempt.run === run);
  const recorded = own.filter((attempt) => isVerified(attempt) && attempt.inputs).at(-1);
  const old = recorded?.inputs ?? {};
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const value = (inputs: Inputs, name: string) =>
    Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  const inputs = names.map((name) => ({ name, old: value(old, name), now: value(now, name) }));
  return {
    run,
    /** The last attempt whose inputs are known. */
    recorded,
    /** The last attempt of all, which may have failed. */
    last: own.at(-1),
    key: runKey(now),
    /** An input is undefined where the run had none of that name, or has none now. */
    inputs,
    changed: inputs.filter(({ old, now }) => old !== now),
  };
}

/** The explanation for people; what has changed comes first. */
export function explanationLines(explanation: Explanation): string[] {
  const { run, key, recorded, last, inputs, changed, command, others } = explanation;
  const same = inputs.filter((input) => !changed.includes(input));
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
    ...textTable([["input", "old", "now", ""], ...[...changed, ...same].map(row)]),
    "",
    verdict(explanation),
    `to repeat this run alone: ${command}`,
    ...(others.length > 0
      ? [`(it also does what any deployment would do now: ${others.join(", ")})`]
      : []),
  ];
}

function row({ name, old, now }: Explanation["inputs"][number]): string[] {
  const word = old === undefined ? "new" : now === undefined ? "gone" : "changed";
  return [name, plain(old ?? "-"), plain(now ?? "-"), old === now ? "" : word];
}

function verdict({ changed, deployed, recorded }: Explanation): string {
  if (deployed) return "nothing has changed: npm start does not repeat it";
  if (!recorded) return "npm start runs it";
  const names = changed.map(({ name }) => name).join(", ");
  if (names !== "") return `npm start repeats it, because of ${names}`;
  return "nothing has changed, but no result of it is deployed: npm start repeats it";
}

function asJson(explanation: Explanation) {
  const { run, key, recorded, last, inputs, changed, deployed, command, others } = explanation;
  return {
    run,
    key: { old: recorded?.key ?? null, now: key },
    inputs: Object.fromEntries(
      inputs.map(({ name, old, now }) => [name, { old: old ?? null, now: now ?? null }]),
    ),
    changed: changed.map(({ name }) => name),
    attempt: recorded?.attempt ?? null,
    lastAttempt: last ? { attempt: last.attempt, status: last.status } : null,
    deployed,
    command,
    alsoDone: others,
  };
}
