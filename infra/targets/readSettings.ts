import { quoted, together, UserError } from "../contracts/errors";
import type { Machine } from "../contracts/target";
import { machine as thisMachine } from "../host/room";
import { datasetConflicts } from "../settings/checks";
import { parseSettings, wrongValue, namespace, type Settings } from "../settings/schema";
import { stores } from "../stores";
import { targets } from ".";

/**
 * The settings of a configuration: validated each by itself, with `auto` resolved by the target, and
 * checked together by the target's and the store's rules.
 *
 * @param config full keys (`engine-comparison:fareAbove`) to values as Pulumi holds them
 * @throws UserError that names every key that makes no sense, with its value
 */
export function readSettings(
  config: Readonly<Record<string, string>>,
  machine: Machine = thisMachine(),
): Settings {
  const asked = parseSettings(config);
  const target = chosen("target", targets, asked.target);
  const settings: Settings = {
    ...asked,
    objectStore: unlessAuto(asked.objectStore, target.defaults.objectStore),
    daftRunner: unlessAuto(asked.daftRunner, target.defaults.daftRunner),
    threads: asked.sparkExecutors * asked.sparkWorkerCores,
  };
  const store = chosen("objectStore", stores, settings.objectStore, "auto");
  const conflicts = [
    ...datasetConflicts(settings, store.existing !== undefined),
    ...target.rules(settings, { machine, store }),
    ...store.rules(settings),
  ];
  if (conflicts.length > 0) {
    throw together(
      conflicts.map(({ what, why, fix }) => new UserError(`${namespace}:${what}`, why, fix)),
    );
  }
  return settings;
}

function unlessAuto<Value extends string>(value: Value, usual: Exclude<Value, "auto">) {
  return value === "auto" ? usual : (value as Exclude<Value, "auto">);
}

/** @throws UserError for a name that is not in the registry */
function chosen<Part extends { readonly name: string }>(
  key: string,
  registry: readonly Part[],
  name: string,
  ...more: readonly string[]
): Part {
  const found = registry.find((part) => part.name === name);
  if (found) return found;
  const names = [...more, ...registry.map((part) => part.name)];
  throw wrongValue(`${namespace}:${key} is ${quoted(name)}: it must be one of ${names.join(", ")}`);
}
