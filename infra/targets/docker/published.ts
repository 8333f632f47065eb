import { holderOf, isFree, nextFreeOffset, type TakenPort } from "../../host/freePorts";
import { ports } from "../../settings/ports";
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
 * The first port that is not free where the container that is to have it does not run yet.
 *
 * @param runs whether the role's container of this stack runs, and so holds its ports
 */
export async function takenPort(
  portOffset: number,
  runs: (role: Role) => boolean,
): Promise<TakenPort | undefined> {
  for (const { role, purpose, external: port } of published(portOffset)) {
    if (runs(role) || (await isFree(port))) continue;
    const freeOffset = await nextFreeOffset(portOffset, externalPorts);
    return { port, purpose, who: holderOf(port), freeOffset };
  }
  return undefined;
}
