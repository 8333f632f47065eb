/** With a higher `portOffset`, ports would not fit below 65536. */
export const maxPortOffset = 40_000;

/** How many ports Ray's worker processes may use, one each. */
const rayWorkerPorts = 100;

/** Blocks of ports for Spark drivers; a driver takes the first block that is free. */
export const sparkDriverBlock = 20;
const sparkDriverBlocks = 8;

/** Every fixed port, before `portOffset`. */
const base = {
  minio: 9000,
  minioConsole: 9001,
  storeBy10ms: 9002,
  storeBy50ms: 9003,
  toxiproxy: 9004,
  sparkMaster: 7077,
  sparkMasterUi: 8080,
  sparkWorker: 7078,
  sparkWorkerUi: 8081,
  sparkDriver: 7200,
  ray: 6379,
  rayDashboard: 8265,
  rayClient: 10001,
  rayNodeManager: 6380,
  rayObjectManager: 6381,
  rayRuntimeEnvAgent: 6382,
  rayDashboardAgent: 6383,
  rayDashboardAgentGrpc: 6384,
  rayMetrics: 6385,
  rayDashboardMetrics: 6386,
  rayAutoscalerMetrics: 6387,
  rayWorker: 10100,
} as const;

/** The ports of a stack: the usual ones plus `offset`. */
export function ports(offset: number) {
  const at = (name: keyof typeof base) => base[name] + offset;
  return {
    minio: { api: at("minio"), console: at("minioConsole") },
    /** The store by each shaped network, and the proxy's own API. */
    toxiproxy: { "10ms": at("storeBy10ms"), "50ms": at("storeBy50ms"), api: at("toxiproxy") },
    sparkMaster: { rpc: at("sparkMaster"), ui: at("sparkMasterUi") },
    /** @param index from 1 */
    sparkWorker: (index: number) => ({
      rpc: at("sparkWorker") + index - 1,
      ui: at("sparkWorkerUi") + index - 1,
    }),
    sparkDriver: Array.from(
      { length: sparkDriverBlocks },
      (_, block) => at("sparkDriver") + block * sparkDriverBlock,
    ),
    ray: {
      gcs: at("ray"),
      dashboard: at("rayDashboard"),
      client: at("rayClient"),
      nodeManager: at("rayNodeManager"),
      objectManager: at("rayObjectManager"),
      runtimeEnvAgent: at("rayRuntimeEnvAgent"),
      dashboardAgent: at("rayDashboardAgent"),
      dashboardAgentGrpc: at("rayDashboardAgentGrpc"),
      metrics: at("rayMetrics"),
      dashboardMetrics: at("rayDashboardMetrics"),
      autoscalerMetrics: at("rayAutoscalerMetrics"),
      firstWorker: at("rayWorker"),
      lastWorker: at("rayWorker") + rayWorkerPorts - 1,
    },
  };
}
