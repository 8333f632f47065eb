import { explainFullDisk, scriptOf, UserError } from "../infra/contracts/errors";
import { Unfit, WrongUse } from "./errors";
import { helpOf, parseArguments, usageOf, type Verb } from "./verb";
import { compare } from "./verbs/compare";
import { destroy, refresh, rerun, start } from "./verbs/deploy";
import { caches, doctor } from "./verbs/doctor";
import { explain } from "./verbs/explain";
import { outputs, report } from "./verbs/outputs";
import { preview } from "./verbs/preview";
import { results } from "./verbs/results";
import { logs, shell, status } from "./verbs/services";

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
 * Runs `argv`, a verb of `known` and what follows it, and ends the process with its exit code.
 * What a verb has left running, such as a CLI that the user would not wait for, does not hold it.
 */
export async function main(argv: readonly string[], known = verbs): Promise<void> {
  process.exit(await exitCode(argv, known));
}

/** @returns 0 done; 1 failed, the reason printed last; 2 wrong use or settings */
export async function exitCode([name, ...rest]: readonly string[], known = verbs): Promise<number> {
  const verb = Object.hasOwn(known, name ?? "") ? known[name] : undefined;
  if (!verb) {
    const help = name === undefined || name === "help" || name === "--help" || name === "-h";
    (help ? console.log : console.error)(overview(help ? undefined : name));
    return help ? 0 : 2;
  }
  try {
    const args = parseArguments(verb, rest);
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

function overview(unknown: string | undefined): string {
  const lines = Object.entries(verbs).map(([name, { summary }]) => {
    return `  ${scriptOf(name).padEnd(16)}  ${summary.split("\n")[0]}`;
  });
  return [
    ...(unknown === undefined ? [] : [`unknown verb ${JSON.stringify(unknown)}`]),
    "usage: npm run <verb> -- [--stack name] [--help] ...",
    ...lines,
  ].join("\n");
}
