import { UserError } from "../../infra/userError";
import { loadConfiguration, settingsOf } from "../config";
import { checks, type Check, type Patient } from "../doctor/checks";
import { stackPassphrase } from "../passphrase";
import { readProject } from "../project";
import { servicesOf } from "../services";
import { describeStack } from "../session";
import type { Verb } from "../verb";

export const doctor: Verb = {
  usage: "",
  summary: "look for what is wrong with a stack or its machine; say cause and cure",
  syntax: {},
  async run({ stack }) {
    const described = await describeStack(stack);
    const secret = () => stackPassphrase(stack).text;
    const configuration =
      described?.configuration ?? (await loadConfiguration(readProject(), stack, [], secret));
    const settings = settingsOf(configuration);
    const services = described ? await servicesHere(stack) : [];
    const patient = { stack, settings, services, runs: described?.runs ?? [] };
    let wrong = 0;
    for (const check of checks.filter(({ needsStack }) => described || !needsStack)) {
      const found = await examine(check, patient);
      if (found.length === 0) console.log(`ok     ${check.name}`);
      for (const error of found) console.log(`wrong  ${error.message}`);
      wrong += found.length;
    }
    if (!described) console.log(`stack ${stack} is not deployed: only the machine was looked at`);
    console.log(wrong === 0 ? "nothing wrong was found" : `${wrong} found wrong`);
    return wrong === 0 ? 0 : 1;
  },
};

/** What keeps the services may be the trouble: then the first check says so. */
async function servicesHere(stack: string): Promise<Patient["services"]> {
  try {
    return (await (await servicesOf(stack))?.status(stack)) ?? [];
  } catch {
    return [];
  }
}

async function examine(check: Check, patient: Patient): Promise<UserError[]> {
  try {
    return await check.look(patient);
  } catch (error) {
    if (error instanceof UserError) return [error];
    throw error;
  }
}
