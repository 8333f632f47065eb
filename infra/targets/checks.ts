import * as path from "node:path";
import { npm, wrong, type UserError } from "../contracts/errors";
import type { DeviceName } from "../contracts/platform";
import type { ServiceView } from "../contracts/target";
import {
  check,
  deployed,
  foldersCheck,
  writtenFolders,
  type Needed,
  type StackCheck,
  type StackContext,
} from "../host/checks";
import { stackFolder } from "../host/folders";
import { mountsCheck, platformCheck, untriedCheck, userCheck } from "../host/platform";
import { diskCheck, loads } from "../host/room";
import { wslCheck } from "../host/wsl";
import { shortFolder } from "../stack/files";

/** What processes of this user need of the machine, before what each target needs. */
export const machineChecks: readonly StackCheck[] = [
  platformCheck,
  untriedCheck,
  userCheck,
  wslCheck,
  foldersCheck(true),
  mountsCheck,
];

/**
 * Whether the disks have room for what a target installs and starts on this machine.
 *
 * @param installs whether a tool must be installed
 * @param starts whether services must be started. @default none are
 */
export const diskHere = (
  installs: Needed,
  starts: Needed = () => false,
  device: (context: StackContext) => DeviceName = () => "cpu",
) =>
  diskCheck(
    async (context) => {
      const [cache, home] = writtenFolders();
      const tools = (await installs(context)) ? loads.toolchain(device(context)) : loads.runs;
      const load = (await starts(context)) ? loads.stack : loads.runs;
      return [
        { ...cache, load: tools },
        { ...home, folder: stackFolder(context.stack), load },
        { folder: path.dirname(shortFolder(context.stack)), load: loads.temporary },
      ];
    },
    async (context) => (await installs(context)) || starts(context),
  );

/** A service in the words of what keeps it, e.g. RUNNING or `Up 5 minutes (healthy)`. */
type ServiceState = Pick<ServiceView, "name" | "state">;

/** Checks of running services find nothing that a deployment must stop at. */
export const whenDeployed = { blocks: false, applies: deployed, after: ["docker"] } as const;

const running = /^(RUNNING|Up\b(?!.*unhealthy))/;

export const smallerSizes =
  "set smaller sparkWorkerMemory, rayObjectStoreMemory or batchSize, or fewer sparkWorkers; close other programs";

/** @param expected names that should be among the services */
export function notRunning(
  services: readonly ServiceState[],
  expected: readonly string[],
  stack: string,
): UserError[] {
  const start = npm(stack, "start");
  const why = "what depends on it fails or waits";
  const missing = expected.filter((name) => !services.some((service) => service.name === name));
  const stopped = services.filter(({ state }) => !running.test(state));
  return [
    ...missing.flatMap((name) => wrong(`${name} does not exist`, why, `${start} makes it`)),
    ...stopped.flatMap(({ name, state }) => {
      const fix = `see why: ${npm(stack, "logs", name)}; then ${start} starts it again`;
      return wrong(`${name} is ${state}`, why, fix);
    }),
  ];
}

export const servicesCheck = (
  expected: (context: StackContext) => readonly string[],
  observe: (context: StackContext) => Promise<ServiceState[]> | ServiceState[],
) =>
  check({
    id: "services",
    name: "every service runs",
    ...whenDeployed,
    observe,
    judge: (services, context) => notRunning(services, expected(context), context.stack),
  });

/** What all targets' checks of killed services share. */
export const killed = {
  id: "killed",
  name: "no service was killed, or has died, in the last hour",
  ...whenDeployed,
} as const;
