import * as z from "zod";
import { clusterSettings } from "./cluster";
import { containerSettings } from "./containers";
import { dataSettings } from "./data";
import { engineSettings } from "./engines";
import { runSettings } from "./runs";
import { storeSettings } from "./store";
import type { Setting } from "./values";

/** The prefix of this project's keys in a stack's configuration. */
export const namespace = "engine-comparison";

const entries = {
  ...runSettings,
  ...dataSettings,
  ...engineSettings,
  ...containerSettings,
  ...storeSettings,
  ...clusterSettings,
};
type Entries = typeof entries;

/** Every setting by its key. Pulumi.yaml and docs/configuration.md are made from this. */
export const settingEntries: Readonly<Record<string, Setting>> = entries;

/** Each from the text that Pulumi's configuration holds. */
const schema = z.strictObject(
  Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, entry.schema])) as {
    [Key in keyof Entries]: Entries[Key]["schema"];
  },
);

/** The settings as they are asked for; {@link schema} knows no target and no store by name. */
export const settingsSchema = schema;
export type AskedSettings = Readonly<z.output<typeof schema>>;

/** The validated settings of a stack, with `auto` resolved by its target; memory sizes are in bytes. */
export type Settings = Omit<AskedSettings, "daftRunner"> & {
  readonly daftRunner: Exclude<AskedSettings["daftRunner"], "auto">;
  /** Of what computes without a cluster: the same cores as Spark's workers together. */
  readonly threads: number;
};

/** Each key a setting may have. */
export const settingKeys = Object.keys(entries) as (keyof Entries)[];

/** The value of every setting that is not set: text, as Pulumi hands it over. */
export const settingDefaults: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(settingEntries).map(([key, { default: value }]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]),
);

/** Keys whose values are encrypted and never shown. */
export const secretKeys: readonly string[] = settingKeys.filter((key) => entries[key].secret);

/** A setting that may be an input of a run. */
export type InputKey = {
  [Key in keyof Entries]: Entries[Key]["input"] extends true ? Key : never;
}[keyof Entries];

export const inputKeys = settingKeys.filter((key): key is InputKey => entries[key].input);

/** What the machine has, as far as settings depend on it. */
export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
}
