import * as path from "node:path";
import type { Cluster } from "../infra/contracts/executor";
import { inputKeys, type InputKey, type Settings } from "../infra/settings/schema";
import { declarations, packageFolder, type Declaration } from "./declaration";
import { seed } from "./seed";
import { workloads } from "./workloads";

/** What the program must know of an engine; what it does is in its Python file. */
export interface Engine {
  /** `spark` of `spark.py` */
  readonly name: string;
  /** As people write it. */
  readonly label: string;
  /** What it computes on, or the setting that says so. */
  readonly cluster: Cluster | InputKey;
  /** The settings that are inputs of its runs alone. */
  readonly settings: readonly InputKey[];
  /** The workloads that it has a method for. */
  readonly workloads: readonly string[];
}

let found: readonly Engine[] | undefined;

/** Every engine, the seed's and the baseline first: the files of `engines/` in the Python package. */
export function engines(): readonly Engine[] {
  return (found ??= findEngines(
    path.join(packageFolder, "engines"),
    workloads().map(({ name }) => name),
  ));
}

/** @throws RangeError for a name that no engine has */
export function engineOf(name: string): Engine {
  const engine = engines().find((one) => one.name === name);
  if (!engine) throw new RangeError(`there is no engine ${name}`);
  return engine;
}

/** What an engine computes on. Where a setting says so, it says `native` for no cluster. */
export function clusterOf({ cluster }: Engine, settings: Settings): Cluster {
  const named: unknown = isCluster(cluster) ? cluster : settings[cluster];
  return isCluster(named) ? named : "none";
}

/**
 * The engines of a folder: all its files but those whose names begin with `_`.
 *
 * @param workloads the names of all workloads
 * @throws UserError for a file that does not say what it is
 */
export function findEngines(folder: string, workloads: readonly string[]): Engine[] {
  return declarations(folder, [...seed.map(([engine]) => engine), "baseline"]).map((file) =>
    read(file, workloads),
  );
}

function read(file: Declaration, workloads: readonly string[]): Engine {
  file.checkName();
  if (!file.has(/^ENGINE = \w+$/)) {
    throw file.wrong("no ENGINE", "write   ENGINE = ...   with the name of its class at its end");
  }
  const methods = workloads.filter((workload) =>
    file.has(new RegExp(`^ {4}def ${workload.replaceAll("-", "_")}\\(`)),
  );
  if (methods.length === 0) {
    throw file.wrong(
      "no method for a workload",
      `write one in its class: ${workloads.join(", ").replaceAll("-", "_")}`,
    );
  }
  const cluster = file.oneOf("cluster", [...clusters, ...runners], "none");
  return {
    name: file.name,
    label: file.string("label", file.name),
    cluster,
    settings: [...file.someOf("settings", inputKeys), ...(isCluster(cluster) ? [] : [cluster])],
    workloads: methods,
  };
}

/** The settings that say on what something runs. */
const runners = inputKeys.filter((key) => key.endsWith("Runner"));

const clusters = ["none", "spark", "ray"] as const satisfies Cluster[];

function isCluster(name: unknown): name is Cluster {
  return clusters.some((cluster) => cluster === name);
}
