import { setTimeout as sleep } from "node:timers/promises";
import { contextOf, examine, runCheck, type Finding } from "../../infra/contracts/check";
import { UserError } from "../../infra/contracts/errors";
import { load } from "../../infra/contracts/target";
import type { StackCheck, StackContext } from "../../infra/host/checks";
import { cacheFolder } from "../../infra/host/folders";
import type { Settings } from "../../infra/settings/schema";
import { readOwner } from "../../infra/stack/owner";
import { cachesInUse, clearCaches } from "../../infra/toolchain/caches";
import { loadConfiguration, settingsOf } from "../config";
import { readProject } from "../project";
import { describeStack } from "../session";
import { verb } from "../verb";

export const doctor = verb({
  summary: "look for what is wrong with a stack or its machine; say cause and fix",
  options: {
    json: {
      type: "boolean",
      help: "prints one JSON object: what was looked at, and what was found with why and fix",
    },
  },
  notes: "exit code: 0 nothing wrong was found, 1 something was, 2 wrong use or settings",
  async run({ stack, options: { json } }) {
    // With clients that no other verb needs.
    const { allChecks } = await load(module, "../checks", () => import("../checks"));
    const context = await contextHere(stack);
    const findings: Finding<Settings>[] = [];
    for await (const finding of examine(context, await allChecks(context.settings.target), look)) {
      findings.push(finding);
      if (!json) for (const line of linesOf(finding)) console.log(line);
    }
    const wrong = findings.flatMap(({ errors }) => errors).length;
    if (json) {
      console.log(JSON.stringify(asJson(context, findings), undefined, 2));
    } else {
      if (!context.deployed) {
        console.log(`stack ${stack} is not deployed: only the machine was looked at`);
      }
      console.log(wrong === 0 ? "nothing wrong was found" : `${wrong} found wrong`);
    }
    return wrong === 0 ? 0 : 1;
  },
});

async function contextHere(stack: string): Promise<StackContext> {
  const described = await describeStack(stack);
  const configuration = described?.configuration ?? (await loadConfiguration(readProject(), stack));
  return contextOf({
    stack,
    settings: settingsOf(configuration),
    id: readOwner(stack)?.id,
    deployed: described !== undefined,
  });
}

/** Each question has its own time limit; this one is for those where it was forgotten. */
const maxMs = 60_000;

/** Runs a check in any case: where one fails itself, the others may still find its cause. */
export async function look(check: StackCheck, context: StackContext) {
  const late = sleep(maxMs).then(() => {
    throw new Error(`no answer within ${maxMs / 1000} s`);
  });
  try {
    return await Promise.race([runCheck(check, context), late]);
  } catch (error) {
    const { id, name } = check;
    return [
      new UserError(
        `the check ${id} failed: ${(error as Error).message.split("\n")[0]}`,
        `it is not known whether ${name}`,
        "fix what else was found, then run npm run doctor again",
      ),
    ];
  }
}

function linesOf({ check, errors, skippedFor }: Finding<Settings>): string[] {
  if (skippedFor) return [`-      ${check.id}: not looked at, because of ${skippedFor}`];
  if (errors.length === 0) return [`ok     ${check.id}: ${check.name}`];
  return errors.map((error) => `wrong  ${check.id}: ${error.message}`);
}

function asJson({ stack, deployed }: StackContext, findings: readonly Finding<Settings>[]) {
  return {
    stack,
    deployed,
    checks: findings.map(({ check, errors, skippedFor }) => ({
      check: check.id,
      name: check.name,
      ...(skippedFor ? { skippedFor } : {}),
      wrong: errors.map(({ what, why, fix }) => ({ what, why, fix })),
    })),
  };
}

export const caches = verb({
  summary: "show which stacks use the shared caches; empty them when no stack does",
  options: { clear: { type: "boolean", help: "empties them" } },
  async run({ options }) {
    if (options.clear) {
      clearCaches();
      console.log(`emptied ${cacheFolder()}`);
      return 0;
    }
    const used = cachesInUse();
    console.log(`the caches are in ${cacheFolder()}`);
    console.log(used.length > 0 ? `in use by ${used.join(", ")}` : "no stack uses them");
    return 0;
  },
});
