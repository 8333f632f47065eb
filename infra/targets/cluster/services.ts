import * as path from "node:path";
import type { Services, ServiceView } from "../../contracts/target";
import { plainEnvironment } from "../../host/environment";
import { findJava } from "../../host/runtimes";
import { silenceAt } from "../../host/probe";
import { stackFiles } from "../../stack/files";
import { storeRecord } from "../../stores/access";
import { jobEnvironment, pythonOf } from "../../toolchain/tools";
import { shellHere } from "../shellHere";
import { clustersOf } from "./executor";

/** What target `cluster` runs on: nothing of it is the stack's, so it is seen from outside only. */
export const clusterServices: Services = {
  async status(stack) {
    const { spark, ray } = clustersOf(stack);
    const store = storeRecord(stack)?.endpoint;
    const seen = [
      ...(spark ? spark.master.split(",").map((url) => seenAt("spark-master", url)) : []),
      ...(ray ? [seenAt("ray-dashboard", ray.dashboard)] : []),
      ...(store ? [seenAt("object-store", store)] : []),
    ];
    return Promise.all(seen);
  },

  shell: (stack) => shellHere(stack, shellEnvironment(stack)),

  logs: () => new Map(),
};

/** How something at an address looks from here. */
export async function seenAt(name: string, url: string): Promise<ServiceView> {
  // Behind the first master of a list there is no scheme.
  const { host, port, protocol } = new URL(url.includes("://") ? url : `spark://${url}`);
  const usual = protocol === "https:" ? ":443" : ":80";
  const silence = await silenceAt(port ? host : `${host}${usual}`);
  return { name, state: silence === undefined ? "ANSWERS" : `SILENT (${silence})`, url };
}

/**
 * Environment of an interactive shell that knows the clusters: Python with the engines, Ray's job
 * submission, the master's address. Ray's token is named by its file.
 *
 * @throws UserError where the stack is not deployed
 */
export function shellEnvironment(stack: string): Record<string, string> {
  const { spark, ray } = clustersOf(stack);
  const plain = plainEnvironment();
  const bin = path.dirname(pythonOf(stack));
  return {
    ...plain,
    ...jobEnvironment(stack),
    PATH: [bin, plain.PATH].filter(Boolean).join(path.delimiter),
    VIRTUAL_ENV: path.dirname(bin),
    ...(spark ? { JAVA_HOME: findJava().home, SPARK_MASTER: spark.master } : {}),
    ...(ray ? { RAY_API_SERVER_ADDRESS: ray.dashboard } : {}),
    ...(ray?.authenticates
      ? { RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN_PATH: stackFiles(stack).rayToken }
      : {}),
  };
}
