import * as path from "node:path";
import { readStepRecord, recordedNames } from "../../stack/records";
import { isService } from "./inspect";
import { jobEnvironment } from "../../toolchain/jobs";
import { findJava } from "../../host/java";
import { serviceLog } from "../../stack/files";
import { plainEnvironment } from "../../host/environment";
import { programStates } from "./services";
import { supervisorAnswers } from "./supervisord";
import { rayAccess } from "./rayAccess";
import { pythonOf } from "../../toolchain/tools";

/** A service of a stack as people ask for it. */
export interface ServiceStatus {
  readonly name: string;
  /** supervisord's word, e.g. RUNNING or FATAL; `DEAD` when there is no supervisor. */
  readonly state: string;
  /** Undefined when it does not run. */
  readonly pid?: number;
  /** Seconds since it was started last. */
  readonly uptime?: number;
  /** A page to look at. */
  readonly url?: string;
  readonly log: string;
}

/** Services that a stack should have, by their records and by what its supervisor runs. */
export async function serviceStatus(stack: string): Promise<ServiceStatus[]> {
  const programs = await programStates(stack);
  const gone = (await supervisorAnswers(stack)) ? "STOPPED" : "DEAD";
  const names = new Set([
    ...recordedNames(stack).filter(isService),
    ...programs.map(({ name }) => name),
  ]);
  return [...names].sort().map((name) => {
    const program = programs.find((each) => each.name === name);
    const url = pageOf(stack, name);
    return {
      name,
      state: program?.statename ?? gone,
      ...(program?.pid ? { pid: program.pid, uptime: program.now - program.start } : {}),
      ...(url ? { url } : {}),
      log: serviceLog(stack, name),
    };
  });
}

function pageOf(stack: string, name: string): string | undefined {
  const result = readStepRecord(stack, name)?.result as Record<string, string> | undefined;
  return result?.console ?? result?.ui ?? result?.dashboard;
}

/**
 * Environment of an interactive shell next to the services: what the seed's `app` container has.
 * The Ray token is named by its file; MinIO's keys and Spark's secret are in the stack folder.
 *
 * @throws UserError where the stack does not stand
 */
export function shellEnvironment(stack: string): Record<string, string> {
  const plain = plainEnvironment();
  const address = readStepRecord(stack, "ray-head")?.result.address as string | undefined;
  const master = readStepRecord(stack, "spark-master")?.result.master as string | undefined;
  const bin = path.dirname(pythonOf(stack));
  return {
    ...plain,
    ...jobEnvironment(stack),
    ...rayAccess(stack),
    PATH: [bin, plain.PATH].filter(Boolean).join(path.delimiter),
    VIRTUAL_ENV: path.dirname(bin),
    JAVA_HOME: findJava().home,
    DAFT_RUNNER: "native",
    ...(master ? { SPARK_MASTER: master } : {}),
    ...(address ? { RAY_ADDRESS: address } : {}),
  };
}
