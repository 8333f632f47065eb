import { namespace, type Settings } from "../infra/settings/schema";
import { quoted, UserError } from "../infra/contracts/errors";
import { targetNamed } from "../infra/targets";
import { clusterOf, engineOf, engines, referenceOf, workloads } from "../results/catalog";

/** A run and its place in the machine's order of runs, which no setting changes. */
export interface ChosenRun {
  readonly engine: string;
  readonly workload: string;
  readonly rank: number;
  /** Whether `matrix: seed` has it. */
  readonly seed: boolean;
}

/**
 * Every run there is, in the order in which runs are carried out: those of `matrix: seed` first. A
 * run that its contender does not support is one, too: its outcome says why.
 */
function allRuns(): ChosenRun[] {
  const runs = engines().flatMap((engine) =>
    workloads()
      .filter(({ name }) => engine.workloads.includes(name) || name in engine.unsupported)
      .map(({ name }) => ({ engine: engine.name, workload: name, seed: engine.seed === name })),
  );
  return runs
    .sort((a, b) => Number(b.seed) - Number(a.seed))
    .map((run, rank) => ({ ...run, rank }));
}

/** Whether a matrix has a run. `engines` names contenders in place of those of `quick`. */
function isIn({ matrix, engines: asked }: Settings, { engine, workload, seed }: ChosenRun) {
  if (matrix === "seed") return seed;
  if (matrix === "full" || asked.length > 0) return true;
  const documented = engineOf(engine).seed !== undefined;
  return documented || referenceOf(workload)?.name === engine;
}

/**
 * The runs that the settings ask for, in order.
 *
 * @throws UserError when the settings name what does not exist, or leave nothing to run
 */
export function chosenRuns(settings: Settings): ChosenRun[] {
  const asked = {
    engines: chosen("engines", settings.engines, engines()),
    workloads: chosen("workloads", settings.workloads, workloads()),
  };
  const all = allRuns();
  const runs = all.filter(
    (run) =>
      asked.engines.includes(run.engine) &&
      asked.workloads.includes(run.workload) &&
      isIn(settings, run),
  );
  if (runs.length === 0) {
    const seeds = all.filter(({ seed }) => seed).map((run) => `${run.engine}/${run.workload}`);
    throw new UserError(
      `engines [${settings.engines}], workloads [${settings.workloads}] and matrix ` +
        `${settings.matrix} leave nothing to run`,
      "a comparison without a run has no result",
      `set matrix to quick, or add one of ${seeds.join(", ")}`,
    );
  }
  checkClusters(runs, settings);
  checkTunables(settings);
  return runs;
}

/** @throws UserError for a run on a cluster that is not named, where no target starts one */
function checkClusters(runs: readonly ChosenRun[], settings: Settings): void {
  const { name, addresses = {} } = targetNamed(settings.target);
  for (const { engine, workload } of runs) {
    const setting = addresses[clusterOf(engineOf(engine), settings)];
    if (setting === undefined || settings[setting] !== undefined) continue;
    throw new UserError(
      `${engine}/${workload} is to run, and ${namespace}:${setting} is not set`,
      `target ${name} starts no engine: it uses existing ones`,
      `set ${setting}, or remove ${engine} from engines`,
    );
  }
}

/** @throws UserError for a tunable that no contender has, or a value of another type */
function checkTunables({ tunables }: Settings): void {
  for (const [name, values] of Object.entries(tunables)) {
    const contender = engines().find((one) => one.name === name);
    if (!contender) {
      const tuned = engines().filter((one) => one.tunables.length > 0);
      throw wrongTunable(
        `has ${quoted(name)}, which is no contender`,
        `choose from ${tuned.map((one) => one.name).join(", ")}`,
      );
    }
    for (const [key, value] of Object.entries(values)) {
      const declared = contender.tunables.find((one) => one.name === key);
      if (!declared) {
        const known = contender.tunables.map((one) => one.name);
        throw wrongTunable(
          `has ${quoted(key)}, which ${name} does not have`,
          known.length > 0 ? `choose from ${known.join(", ")}` : `remove ${name}: it has none`,
        );
      }
      if (typeof value === typeof declared.value) continue;
      throw wrongTunable(
        `has ${JSON.stringify(value)} as ${key} of ${name}, which is a ${typeof declared.value}`,
        `give a ${typeof declared.value}, such as ${JSON.stringify(declared.value)}`,
      );
    }
  }
}

function wrongTunable(what: string, fix: string): UserError {
  return new UserError(
    `${namespace}:tunables ${what}`,
    "each contender's file in pipelines/engine_comparison/engines/ lists what can be tuned; nothing was changed",
    fix,
  );
}

/** The names that a setting asks for: all there are where it is empty. */
function chosen(
  key: "engines" | "workloads",
  names: readonly string[],
  known: readonly { readonly name: string }[],
): readonly string[] {
  const all = known.map(({ name }) => name);
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length === 0) return names.length > 0 ? names : all;
  throw new UserError(
    `${namespace}:${key} is [${names.map(quoted).join(", ")}]: there is no ${quoted(unknown[0])}`,
    `each is described by a file in pipelines/engine_comparison/${key}/; nothing was changed`,
    `choose from ${all.join(", ")}, or add one (docs/adding-an-engine.md)`,
  );
}
