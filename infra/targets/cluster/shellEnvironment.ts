import * as path from "node:path";
import { stackFiles } from "../../stack/files";
import { jobEnvironment } from "../../toolchain/jobs";
import { findJava } from "../../host/java";
import { plainEnvironment } from "../../host/environment";
import { pythonOf } from "../../toolchain/tools";
import { clustersOf } from "./executor";

/**
 * Environment of an interactive shell that knows the clusters: Python with the engines, Ray's job
 * submission, the master's address. Ray's token is named by its file.
 *
 * @throws UserError where the stack does not stand
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
