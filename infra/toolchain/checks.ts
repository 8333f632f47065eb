import * as path from "node:path";
import { npm, wrong, type UserError } from "../contracts/errors";
import { check, deployed, type StackContext } from "../host/checks";
import {
  covers,
  environmentVersions,
  minorOf,
  pythonRange,
  type PythonRange,
} from "../host/runtimes";
import { namesIn } from "../host/folders";
import { readStepRecord } from "../stack/records";
import { entryFolder } from "./caches";
import { lockedPackages, normalised, pythonEntry, type Locked, modelIdentity } from "./locks";
import type { ToolResult } from "./tools";

export const modelId = ({ settings }: StackContext): string => modelIdentity(settings);

export const modelCheck = check({
  id: "model",
  name: "the model that the settings name can be read",
  blocks: true,
  observe: (context) => context.facts(modelId),
});

export interface EnvironmentFacts {
  readonly folder: string;
  /** What its interpreter says it is, e.g. `3.11.7`; undefined where it does not start. */
  readonly python?: string;
  /** What it was when the environment was made. */
  readonly madeFor?: string;
  /** Names of its `.dist-info` folders, such as `ray-2.60.0.dist-info`. */
  readonly packages: readonly string[];
  /** Whether it was made from the lock that the checkout has now. */
  readonly ofThisLock: boolean;
}

export function wrongEnvironment(
  facts: EnvironmentFacts,
  lock: ReadonlyMap<string, Locked>,
  range: PythonRange,
  stack: string,
): UserError[] {
  const { folder, python, madeFor, ofThisLock } = facts;
  const start = npm(stack, "start");
  const unusable = (what: string, why: string) =>
    wrong(`the Python in ${folder} ${what}`, why, `${start} makes another environment`);
  if (python === undefined)
    return unusable("does not start", "the Python that it was made with was removed or upgraded");
  if (!covers(range, python))
    return unusable(
      `is ${python}, and the lock covers 3.${range.min} to 3.${range.max}`,
      "the packages were built for another Python",
    );
  if (madeFor !== undefined && minorOf(madeFor) !== minorOf(python))
    return unusable(
      `is ${python}, and was ${madeFor} when its packages were installed`,
      "packages with native code are not found: ModuleNotFoundError; Ray refuses to mix the two",
    );
  if (!ofThisLock)
    return wrong(
      `${folder} was made from another requirements.lock than this checkout has`,
      "the services run other versions than the code was written for",
      `${start} installs what the lock has now, and restarts the services`,
    );
  const differ = differences(facts.packages, lock);
  if (differ.length === 0) return [];
  const more = differ.length > 3 ? ` and ${differ.length - 3} more` : "";
  return wrong(
    `${folder} has ${differ.slice(0, 3).join(", ")}${more}`,
    "somebody has installed into it since; results are not those of the locked packages",
    `${npm(stack, "destroy")}, npm run caches -- --clear, then ${start}`,
  );
}

/** The first of the packages that are not as the lock says, and how. */
function differences(packages: readonly string[], lock: ReadonlyMap<string, Locked>): string[] {
  const installed = new Map(
    packages.flatMap((name) => {
      const [, project, version] = /^(.+)-([^-]+)\.dist-info$/.exec(name) ?? [];
      return project ? [[normalised(project), version] as const] : [];
    }),
  );
  const cuda = installed.has("onnxruntime-gpu");
  return [...lock].flatMap(([name, { versions, always }]) => {
    const version = installed.get(name);
    if (version !== undefined && !versions.includes(version)) {
      return [`${name} ${version}, locked ${versions.join(" or ")}`];
    }
    const replaced = cuda && name === "onnxruntime";
    return version === undefined && always && !replaced ? [`no ${name}`] : [];
  });
}

/** The environment in this machine's cache; undefined where none was made. */
export function environmentHere(stack: string): EnvironmentFacts | undefined {
  const result = readStepRecord(stack, "python")?.result as
    (ToolResult & { readonly version: string }) | undefined;
  if (!result) return undefined;
  const folder = entryFolder(result.entry);
  const { now, madeFor = result.version } = environmentVersions(folder);
  const lib = path.join(folder, "lib");
  const packages = namesIn(lib).flatMap((name) => namesIn(path.join(lib, name, "site-packages")));
  const entries = (["cpu", "cuda"] as const).map((device) => pythonEntry(device, result.version));
  return { folder, python: now, madeFor, packages, ofThisLock: entries.includes(result.entry) };
}

/** @param observe looks where the target's jobs run */
export const environmentCheck = (
  observe: (context: StackContext) => EnvironmentFacts | undefined,
) =>
  check({
    id: "environment",
    name: "the engines' Python environment is what the lock says",
    blocks: false,
    applies: deployed,
    after: ["docker"],
    observe,
    judge: (facts, { stack }) =>
      facts ? wrongEnvironment(facts, lockedPackages(), pythonRange(), stack) : [],
  });
