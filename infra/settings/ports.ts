/** With a higher `portOffset`, ports would not fit below 65536. */
export const maxPortOffset = 40_000;

/** How many ports Ray's worker processes may use, one each. */
const rayWorkerPorts = 100;

/** Blocks of ports for Spark drivers; a driver takes the first block that is free. */
export const sparkDriverBlock = 20;
const sparkDriverBlocks = 8;

/** The first port of each Spark driver, worker and Ray worker: what comes after them has the next ones. */
const first = { sparkDriver: 7200, sparkWorker: 7078, sparkWorkerUi: 8081, rayWorker: 10100 };

/** Every fixed port, before `portOffset`. */
const base = {
  minio: { api: 9000, console: 9001 },
  /** The store by each shaped network, and the proxy's own API. */
  toxiproxy: { "10ms": 9002, "50ms": 9003, api: 9004 },
  sparkMaster: { rpc: 7077, ui: 8080 },
  ray: {
    gcs: 6379,
    dashboard: 8265,
    client: 10001,
    nodeManager: 6380,
    objectManager: 6381,
    runtimeEnvAgent: 6382,
    dashboardAgent: 6383,
    dashboardAgentGrpc: 6384,
    metrics: 6385,
    dashboardMetrics: 6386,
    autoscalerMetrics: 6387,
    firstWorker: first.rayWorker,
    lastWorker: first.rayWorker + rayWorkerPorts - 1,
  },
};

/** The ports of a stack: the usual ones plus `offset`. */
export function ports(offset: number) {
  const shifted = <Name extends string>(some: Record<Name, number>) =>
    Object.fromEntries(
      Object.entries<number>(some).map(([name, port]) => [name, port + offset]),
    ) as Record<Name, number>;
  return {
    minio: shifted(base.minio),
    toxiproxy: shifted(base.toxiproxy),
    sparkMaster: shifted(base.sparkMaster),
    /** @param index from 1 */
    sparkWorker: (index: number) =>
      shifted({ rpc: first.sparkWorker + index - 1, ui: first.sparkWorkerUi + index - 1 }),
    sparkDriver: Array.from(
      { length: sparkDriverBlocks },
      (_, block) => first.sparkDriver + offset + block * sparkDriverBlock,
    ),
    ray: shifted(base.ray),
  };
}
