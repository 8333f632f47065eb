import { npm } from "../contracts/check";
import { UserError } from "../contracts/errors";
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
  const existing = new Set(services.map(({ name }) => name));
  const why = "what depends on it fails or waits";
  return [
    ...expected
      .filter((name) => !existing.has(name))
      .map(
        (name) => new UserError(`${name} does not exist`, why, `${npm(stack, "start")} makes it`),
      ),
    ...services
      .filter(({ state }) => !running.test(state))
      .map(
        ({ name, state }) =>
          new UserError(
            `${name} is ${state}`,
            why,
            `see why: ${npm(stack, "logs", name)}; then ${npm(stack, "start")} starts it again`,
          ),
      ),
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
