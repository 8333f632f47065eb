import { ports } from "../../settings/ports";

/** One port that a stack on target `local` listens on. */
export interface Listener {
  /** The service's resource name. */
  readonly service: string;
  /** What the port is for, as told to people. */
  readonly purpose: string;
  readonly port: number;
  /** Whether it is one of a range, of which the service takes those that are free. */
  readonly shared?: boolean;
}

/** The table of all that listens in a stack, but for drivers, which look for ports themselves. */
export function listeners(offset: number, sparkWorkers: number): Listener[] {
  const { minio, sparkMaster, sparkWorker, ray } = ports(offset);
  const row = (service: string) => (purpose: string, port: number) => ({ service, purpose, port });
  const ofMinio = row("minio");
  const ofMaster = row("spark-master");
  const ofRay = row("ray-head");
  return [
    ofMinio("MinIO's S3 API", minio.api),
    ofMinio("MinIO's console", minio.console),
    ofMaster("Spark master", sparkMaster.rpc),
    ofMaster("Spark master's page", sparkMaster.ui),
    ...Array.from({ length: sparkWorkers }, (_, n) => n + 1).flatMap((index) => {
      const ofWorker = row(`spark-worker-${index}`);
      return [
        ofWorker(`Spark worker ${index}`, sparkWorker(index).rpc),
        ofWorker(`Spark worker ${index}'s page`, sparkWorker(index).ui),
      ];
    }),
    ofRay("Ray head", ray.gcs),
    ofRay("Ray dashboard", ray.dashboard),
    ofRay("Ray client server", ray.client),
    ofRay("Ray node manager", ray.nodeManager),
    ofRay("Ray object manager", ray.objectManager),
    ofRay("Ray runtime environment agent", ray.runtimeEnvAgent),
    ofRay("Ray dashboard agent", ray.dashboardAgent),
    ofRay("Ray dashboard agent, gRPC", ray.dashboardAgentGrpc),
    ofRay("Ray metrics", ray.metrics),
    ofRay("Ray dashboard's metrics", ray.dashboardMetrics),
    ofRay("Ray autoscaler's metrics", ray.autoscalerMetrics),
    ...Array.from({ length: ray.lastWorker - ray.firstWorker + 1 }, (_, n) => ({
      ...ofRay("a worker of Ray's", ray.firstWorker + n),
      shared: true,
    })),
  ];
}
