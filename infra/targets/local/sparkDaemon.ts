import * as fs from "node:fs";
import * as path from "node:path";
import { jobEnvironment } from "../../toolchain/jobs";
import { findJava } from "../../host/java";
import { stackFiles } from "../../stack/files";
import { readCredentials } from "../../stack/credentials";
import { toolFolder } from "../../toolchain/tools";

/** The Spark that the Python package carries. */
function sparkHome(stack: string): string {
  const lib = path.join(toolFolder(stack, "python"), "lib");
  return path.join(lib, fs.readdirSync(lib)[0], "site-packages", "pyspark");
}

/**
 * Command line and environment of a master or worker of Spark standalone.
 *
 * @param daemon class below `org.apache.spark.deploy`
 * @param args its own arguments
 */
export function sparkDaemon(stack: string, daemon: string, args: readonly string[]) {
  const home = sparkHome(stack);
  const folder = stackFiles(stack).spark;
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    argv: [
      path.join(home, "bin", "spark-class"),
      `org.apache.spark.deploy.${daemon}`,
      ...["--host", "127.0.0.1", "--properties-file", writeProperties(stack), ...args],
    ],
    env: {
      ...jobEnvironment(stack),
      JAVA_HOME: findJava().home,
      SPARK_HOME: home,
      SPARK_LOCAL_IP: "127.0.0.1",
      SPARK_PUBLIC_DNS: "127.0.0.1",
      SPARK_LOCAL_DIRS: path.join(folder, "local"),
      SPARK_DAEMON_MEMORY: "256m",
      // A daemon does little: the plain collector and compiler save memory and a second of start.
      SPARK_DAEMON_JAVA_OPTS: "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    },
    directory: folder,
  };
}

function writeProperties(stack: string): string {
  const credentials = readCredentials(stack);
  if (!credentials) throw new Error(`stack ${stack} has no credentials`);
  const properties = {
    "spark.authenticate": "true",
    "spark.authenticate.secret": credentials.sparkSecret,
    "spark.master.rest.enabled": "false",
    "spark.ui.killEnabled": "false",
    "spark.worker.cleanup.enabled": "true",
    "spark.worker.cleanup.interval": "600",
    "spark.worker.cleanup.appDataTtl": "3600",
    "spark.deploy.retainedApplications": "50",
  };
  const file = path.join(stackFiles(stack).spark, "daemons.properties");
  const lines = Object.entries(properties).map(([key, value]) => `${key} ${value}\n`);
  fs.writeFileSync(`${file}.${process.pid}`, lines.join(""), { mode: 0o600 });
  fs.renameSync(`${file}.${process.pid}`, file);
  return file;
}
