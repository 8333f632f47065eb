import { explainFullDisk, UserError } from "../infra/contracts/errors";
import { parseArguments, usualStack } from "./arguments";
import type { Verb } from "./verb";
import { caches } from "./verbs/caches";
import { compare } from "./verbs/compare";
import { destroy } from "./verbs/destroy";
import { doctor } from "./verbs/doctor";
import { explain } from "./verbs/explain";
import { logs } from "./verbs/logs";
import { outputs } from "./verbs/outputs";
import { preview } from "./verbs/preview";
import { refresh } from "./verbs/refresh";
import { report } from "./verbs/report";
import { rerun } from "./verbs/rerun";
import { results } from "./verbs/results";
import { shell } from "./verbs/shell";
import { start } from "./verbs/start";
import { status } from "./verbs/status";
import { Unfit, WrongUse } from "./wrongUse";

/** Every word of the command line; package.json has a script for each. */
export const verbs: Readonly<Record<string, Verb>> = {
  start,
  preview,
  outputs,
  destroy,
  refresh,
  rerun,
  report,
  results,
  compare,
  explain,
  status,
  doctor,
  logs,
  shell,
  caches,
};

/**
 * Runs `argv`, a verb and what follows it, and ends the process with its exit code.
 *
 * @param known the verbs there are
 */
export async function main(argv: readonly string[], known = verbs): Promise<void> {
  const code = await exitCode(argv, known);
  // What a verb has left running, such as a CLI that the user would not wait for, must not hold us.
  process.exit(code);
}

/** @returns 0 done; 1 failed, the reason told last; 2 wrong use or settings */
export async function exitCode([name, ...rest]: readonly string[], known = verbs): Promise<number> {
  const verb = Object.hasOwn(known, name ?? "") ? known[name] : undefined;
  if (!verb) {
    const help = name === undefined || name === "help" || name === "--help" || name === "-h";
    (help ? console.log : console.error)(overview(help ? undefined : name));
    return help ? 0 : 2;
  }
  try {
    const args = parseArguments(verb.syntax, rest);
    if (args) return await verb.run(args);
    console.log(helpOf(name, verb));
    return 0;
  } catch (thrown) {
    const error = explainFullDisk(thrown);
    if (error instanceof WrongUse) {
      console.error(`${error.message}\n${usageOf(name, verb)}`);
      return 2;
    }
    if (!(error instanceof UserError)) throw error;
    console.error(error.message);
    return error instanceof Unfit ? 2 : 1;
  }
}

/** `usage: npm run outputs -- [--json] [name] [--stack name]` */
function usageOf(name: string, { usage }: Verb): string {
  const script = name === "start" ? "npm start" : `npm run ${name}`;
  return `usage: ${script} -- ${usage && `${usage} `}[--stack name]`;
}

function helpOf(name: string, verb: Verb): string {
  const lines = [usageOf(name, verb), "", verb.summary, "", ...(verb.help ?? [])];
  const usual = verb.syntax.stack ?? usualStack;
  return [...lines, `--stack        the stack's name; default ${usual}`].join("\n");
}

function overview(unknown: string | undefined): string {
  const lines = Object.entries(verbs).map(([name, { summary }]) => {
    const script = name === "start" ? "npm start" : `npm run ${name}`;
    return `  ${script.padEnd(16)}  ${summary}`;
  });
  return [
    ...(unknown === undefined ? [] : [`${JSON.stringify(unknown)} is no verb`]),
    "usage: npm run <verb> -- [--stack name] [--help] ...",
    ...lines,
  ].join("\n");
}
