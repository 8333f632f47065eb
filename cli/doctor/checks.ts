import { preparePlatform } from "../../infra/targets";
import type { Check } from "./check";
import { dockerChecks } from "./docker";
import { environmentChecks } from "./environment";
import { gpuChecks } from "./gpu";
import { machineChecks } from "./machine";
import { pulumiChecks } from "./pulumi";
import { rayChecks } from "./ray";
import { roomChecks } from "./room";
import { runChecks } from "./runs";
import { serviceChecks } from "./services";
import { sparkChecks } from "./spark";
import { storeChecks } from "./store";
import { wslChecks } from "./wsl";

const ofMachine = [
  ...wslChecks,
  ...pulumiChecks,
  ...dockerChecks,
  ...machineChecks,
  ...roomChecks,
  ...gpuChecks,
];

/** Whatever else a deployment would stop at before it touches anything. */
const preflight: Check = {
  id: "preflight",
  name: "npm start would not refuse to begin",
  after: ofMachine.map(({ id }) => id),
  look: async ({ settings, stack }) => {
    await withoutNotices(() => preparePlatform(settings, stack));
    return [];
  },
};

/** Outside of a deployment, Pulumi prints on the console what the program tells by the way. */
async function withoutNotices(work: () => Promise<unknown>): Promise<void> {
  const { log, warn } = console;
  console.log = console.warn = () => {};
  try {
    await work();
  } finally {
    Object.assign(console, { log, warn });
  }
}

/** The checks, causes first: what comes later may be their effect. */
export const checks: readonly Check[] = [
  ...ofMachine,
  preflight,
  ...serviceChecks,
  ...environmentChecks,
  ...storeChecks,
  ...sparkChecks,
  ...rayChecks,
  ...runChecks,
];
