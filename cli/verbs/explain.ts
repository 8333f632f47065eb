import { readRecord } from "../../results/records";
import { runKey, type Inputs } from "../../results/result";
import {
  changed,
  explainRun,
  type ExplainedInput,
  type Explanation,
} from "../../results/explanation";
import { readHistory } from "../../results/history";
import { moment } from "../../report/format";
import { plain } from "../../report/html";
import { loadConfiguration } from "../config";
import { stackPassphrase } from "../passphrase";
import { readProject } from "../project";
import { textTable } from "../terminal/textTable";
import type { Verb } from "../verb";
import { WrongUse } from "../wrongUse";

export const explain: Verb = {
  usage: "[--json] <engine>/<workload>",
  summary: "show what a run depends on, what of it has changed, and how to repeat it",
  help: ["--json        prints one JSON object"],
  syntax: { options: { json: { type: "boolean" } }, positionals: [1, 1] },
  async run(args) {
    const { stack, positionals } = args;
    const [run] = positionals;
    const project = readProject();
    const secret = () => stackPassphrase(stack).text;
    const configuration = await loadConfiguration(project, stack, [], secret);
    const { currentInputs } = await import("../currentInputs");
    const all = await currentInputs(project, stack, configuration);
    const runs = new Map([...all].filter(([name]) => name.includes("/")));
    const now = runs.get(run);
    if (!now) {
      const names = [...runs.keys()].join(", ");
      throw new WrongUse(`${JSON.stringify(run)} is no run of stack ${stack}: it has ${names}`);
    }
    const explanation = explainRun(run, now, readHistory(stack).attempts);
    const toDo = notStanding(stack, runs);
    const others = toDo.filter((name) => name !== run);
    const stands = !toDo.includes(run);
    const command = repeat(stack, run);
    if (args.flag("json")) {
      console.log(JSON.stringify(asJson(explanation, { command, others, stands }), undefined, 2));
    } else {
      for (const line of explanationLines(explanation, { command, others, stands }))
        console.log(line);
    }
    return 0;
  },
};

function repeat(stack: string, run: string): string {
  return `npm run rerun -- ${run}${stack === "local" ? "" : ` --stack ${stack}`}`;
}

/** The runs that any deployment would do, because their last outcome is not of these inputs. */
function notStanding(stack: string, runs: ReadonlyMap<string, Inputs>): string[] {
  return [...runs]
    .filter(([name, inputs]) => {
      const summary = readRecord(stack, name)?.summary;
      return summary?.status !== "verified" || summary.key !== runKey(inputs);
    })
    .map(([name]) => name);
}

/** What goes with an explanation. */
export interface WhatToDo {
  /** Repeats the run. */
  readonly command: string;
  /** The other runs that any deployment would do by now. */
  readonly others: readonly string[];
  /** Whether the result of exactly these inputs is deployed. */
  readonly stands: boolean;
}

/** The explanation for people; what has changed comes first. */
export function explanationLines(
  explanation: Explanation,
  { command, others, stands }: WhatToDo,
): string[] {
  const { run, key, recorded, last, inputs } = explanation;
  const differing = changed(explanation);
  const same = inputs.filter((input) => !differing.includes(input));
  return [
    run,
    recorded && recorded.key !== key ? `key ${recorded.key} -> ${key}` : `key ${key}`,
    recorded
      ? `recorded by attempt ${recorded.attempt} of ${moment(plain(recorded.at))}`
      : "never came to a result whose inputs are known: all of them are new",
    ...(last?.status === "failed" ? [`the last attempt failed: ${plain(last.reason)}`] : []),
    "",
    ...textTable([["input", "old", "now", ""], ...[...differing, ...same].map(row)]),
    "",
    verdict(explanation, stands),
    `to repeat this run alone: ${command}`,
    ...(others.length > 0
      ? [`(it also does what any deployment would do by now: ${others.join(", ")})`]
      : []),
  ];
}

function row({ name, old, now }: ExplainedInput): string[] {
  const word = old === undefined ? "new" : now === undefined ? "gone" : "changed";
  return [name, plain(old ?? "-"), plain(now ?? "-"), old === now ? "" : word];
}

function verdict(explanation: Explanation, stands: boolean): string {
  const names = changed(explanation).map(({ name }) => name);
  if (stands) return "nothing has changed: npm start leaves it as it is";
  if (!explanation.recorded) return "npm start does it";
  if (names.length > 0) return `npm start does it again, because of ${names.join(", ")}`;
  return "nothing has changed, but no result of it is deployed: npm start does it again";
}

function asJson(
  explanation: Explanation,
  { command, others, stands }: WhatToDo,
): Record<string, unknown> {
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
    stands,
    command,
    alsoDone: others,
  };
}
