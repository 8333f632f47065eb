import { isFree, nextFreeOffset, otherOffset } from "../../host/freePorts";
import { ports } from "../../settings/ports";
import { UserError } from "../../contracts/errors";
import { inside } from "./inside";
import type { Role } from "./names";

/** A port of a container that is published on this machine's loopback interface. */
export interface Published {
  readonly role: Role;
  readonly purpose: string;
  /** The port inside. */
  readonly internal: number;
  /** The port on 127.0.0.1. */
  readonly external: number;
}

/**
 * What is published: what people and this machine's scripts need, nothing else. Drivers run inside
 * the network, so Spark's 7077 and Ray's 6379 stay there.
 */
export function published(portOffset: number): Published[] {
  const outside = ports(portOffset);
  return [
    {
      role: "minio",
      purpose: "MinIO's S3 API",
      internal: inside.minio.api,
      external: outside.minio.api,
    },
    {
      role: "minio",
      purpose: "MinIO's console",
      internal: inside.minio.console,
      external: outside.minio.console,
    },
    {
      role: "spark-master",
      purpose: "Spark master's page",
      internal: inside.sparkMaster.ui,
      external: outside.sparkMaster.ui,
    },
    {
      role: "ray-head",
      purpose: "Ray dashboard",
      internal: inside.ray.dashboard,
      external: outside.ray.dashboard,
    },
    {
      role: "ray-head",
      purpose: "Ray client server",
      internal: inside.ray.client,
      external: outside.ray.client,
    },
  ];
}

function externalPorts(portOffset: number): number[] {
  return published(portOffset).map(({ external }) => external);
}

/** `http://127.0.0.1:<external>` of a published port. */
export function urlOf(portOffset: number, internal: number): string {
  const port = published(portOffset).find((each) => each.internal === internal)!.external;
  return `http://127.0.0.1:${port}`;
}

/**
 * Checks that the ports are free where the container that is to have them does not run yet.
 *
 * @param runs whether the role's container of this stack runs, and so holds its ports
 * @throws UserError that names them
 */
export async function checkPorts(portOffset: number, runs: (role: Role) => boolean): Promise<void> {
  const taken: string[] = [];
  for (const { role, purpose, external } of published(portOffset)) {
    if (!runs(role) && !(await isFree(external))) taken.push(`${external} (${purpose})`);
  }
  if (taken.length === 0) return;
  throw new UserError(
    `port ${taken.join(", port ")} of 127.0.0.1 is in use`,
    "the containers' services are reached there",
    otherOffset(await nextFreeOffset(portOffset, externalPorts)),
  );
}
