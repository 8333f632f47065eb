import { npm, wrong } from "../contracts/check";
import type { UserError } from "../contracts/errors";
import { check, deployed, type StackContext } from "../host/checks";

/** A service in the words of what keeps it, e.g. RUNNING or `Up 5 minutes (healthy)`. */
export interface ServiceState {
  readonly name: string;
  readonly state: string;
}

const running = /^(RUNNING|Up\b(?!.*unhealthy))/;

/** What to do where memory ran out. */
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
    blocks: false,
    applies: deployed,
    after: ["docker"],
    observe,
    judge: (services, context) => notRunning(services, expected(context), context.stack),
  });

/** What a check of services that were killed has in common on all targets. */
export const killed = {
  id: "killed",
  name: "no service was killed, or has died, in the last hour",
  blocks: false,
  applies: deployed,
  after: ["docker"],
} as const;
