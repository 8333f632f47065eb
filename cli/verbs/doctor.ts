import { UserError } from "../../infra/contracts/errors";
import { cacheFolder } from "../../infra/host/folders";
import { loadConfiguration, settingsOf } from "../config";
import type { Check, Patient } from "../doctor/check";
import { examine, type Finding } from "../doctor/examine";
import { stackPassphrase } from "../passphrase";
import { readProject } from "../project";
import { targetOf } from "../../infra/targets";
import { describeStack } from "../session";
import { verb } from "../verb";

export const doctor = verb({
  summary: "look for what is wrong with a stack or its machine; say cause and cure",
  options: {
    json: {
      type: "boolean",
      help: "prints one JSON object: what was looked at, and what was found with why and cure",
    },
  },
  notes: "exit code: 0 nothing wrong was found, 1 something was, 2 wrong use or settings",
  async run({ stack, options: { json } }) {
    const { checks } = await import("../doctor/checks"); // with clients that no other verb needs
    const patient = await patientOf(stack);
    const findings: Finding[] = [];
    for await (const finding of examine(patient, checks)) {
      findings.push(finding);
      if (!json) for (const line of linesOf(finding)) console.log(line);
    }
    const wrong = findings.flatMap(({ errors }) => errors).length;
    if (json) {
      console.log(JSON.stringify(asJson(patient, findings), undefined, 2));
    } else {
      if (!patient.stands) {
        console.log(`stack ${stack} is not deployed: only the machine was looked at`);
      }
      console.log(wrong === 0 ? "nothing wrong was found" : `${wrong} found wrong`);
    }
    return wrong === 0 ? 0 : 1;
  },
});

async function patientOf(stack: string): Promise<Patient> {
  const described = await describeStack(stack);
  const secret = () => stackPassphrase(stack).text;
  const configuration =
    described?.configuration ?? (await loadConfiguration(readProject(), stack, [], secret));
  return {
    stack,
    settings: settingsOf(configuration),
    stands: described !== undefined,
    services: described ? await servicesHere(stack) : [],
    runs: described?.runs ?? [],
  };
}

/** What keeps the services may be the trouble: then a check says so. */
async function servicesHere(stack: string): Promise<Patient["services"]> {
  try {
    return (await (await targetOf(stack)?.services())?.status(stack)) ?? [];
  } catch {
    return [];
  }
}

function linesOf({ check, errors, skippedFor }: Finding): string[] {
  if (skippedFor) return [`-      ${check.id}: not looked at, because of ${skippedFor}`];
  if (errors.length === 0) return [`ok     ${check.id}: ${check.name}`];
  return errors.map((error) => `wrong  ${check.id}: ${error.message}`);
}

function asJson({ stack, stands }: Patient, findings: readonly Finding[]) {
  const told = (check: Check) => ({ check: check.id, name: check.name });
  return {
    stack,
    deployed: stands,
    checks: findings.map(({ check, errors, skippedFor }) => ({
      ...told(check),
      ...(skippedFor ? { skippedFor } : {}),
      wrong: errors.map(({ what, why, fix }: UserError) => ({ what, why, fix })),
    })),
  };
}

export const caches = verb({
  summary: "show which stacks use the shared caches; empty them when no stack does",
  options: { clear: { type: "boolean", help: "empties them" } },
  async run({ options }) {
    const { cachesInUse, clearCaches } = await import("../../infra/toolchain/caches");
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
