import { homeFolder, namesIn } from "../host/folders";
import { isFree } from "../host/freePorts";
import { readStepRecord, recordedNames } from "./records";

/**
 * The recorded ports of this user's other stacks that run, with all of Ray's range for workers:
 * those listen only while a worker lives, so that asking the system does not show them.
 */
export async function portsOfNeighbours(stack: string) {
  const all = namesIn(homeFolder()).filter((name) => name !== stack);
  const running = await Promise.all(all.map(async (name) => ((await runs(name)) ? [name] : [])));
  return new Map(
    running
      .flat()
      .flatMap((name) =>
        recordedNames(name).flatMap((service) =>
          recordedPorts(name, service).map((port) => [port, { stack: name, service }] as const),
        ),
      ),
  );
}

async function runs(stack: string): Promise<boolean> {
  const [api] = recordedPorts(stack, "minio");
  return api !== undefined && !(await isFree(api));
}

/** The ports that a service's step recorded. */
export function recordedPorts(stack: string, service: string): number[] {
  const { ports = {} } = (readStepRecord(stack, service)?.result ?? {}) as {
    ports?: Readonly<Record<string, number>>;
  };
  const { firstWorker = 0, lastWorker = -1, ...single } = ports;
  const range = Array.from({ length: lastWorker - firstWorker + 1 }, (_, n) => firstWorker + n);
  return [...Object.values(single), ...range];
}
