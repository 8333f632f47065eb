import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../../infra/contracts/canonical";
import { entryFolder, type Entry } from "../../infra/toolchain/caches";
import { pythonRange, type PythonRange } from "../../infra/host/python";
import { pythonHash } from "../../infra/toolchain/locks";
import { probe } from "../../infra/host/probe";
import { readStepRecord } from "../../infra/stack/records";
import { UserError } from "../../infra/contracts/errors";
import { check, npm, stands, type Check, type Patient } from "./check";
import { surroundings } from "./containers";
import { lockedPackages, normalised, type Locked } from "./locked";

/** The Python environment that the stack's services and jobs run in. */
export interface EnvironmentSeen {
  readonly folder: string;
  /** What its interpreter says it is, e.g. `3.11.7`; undefined where it does not start. */
  readonly python?: string;
  /** What it was when the environment was made. */
  readonly pythonThen?: string;
  /** Names of its `.dist-info` folders, such as `ray-2.60.0.dist-info`. */
  readonly packages: readonly string[];
  /** Whether it was made from the lock that the checkout has now. */
  readonly ofThisLock: boolean;
}

export function wrongEnvironment(
  seen: EnvironmentSeen,
  lock: ReadonlyMap<string, Locked>,
  range: PythonRange,
  stack: string,
): UserError[] {
  const { folder, python, pythonThen, ofThisLock } = seen;
  const anew = `${npm(stack, "destroy")}, npm run caches -- --clear, then ${npm(stack, "start")}`;
  if (python === undefined) {
    return [
      new UserError(
        `the Python in ${folder} does not start`,
        "the Python that it was made with was removed or upgraded",
        `${npm(stack, "start")} makes another environment`,
      ),
    ];
  }
  const minor = (version: string) => version.split(".").slice(0, 2).join(".");
  const [major, second] = python.split(".").map(Number);
  if (major !== 3 || second < range.least || second > range.most) {
    return [
      new UserError(
        `the Python in ${folder} is ${python}, and the lock covers 3.${range.least} to 3.${range.most}`,
        "the packages were built for another Python",
        anew,
      ),
    ];
  }
  if (pythonThen !== undefined && minor(pythonThen) !== minor(python)) {
    return [
      new UserError(
        `the Python in ${folder} is ${python}, and was ${pythonThen} when its packages were installed`,
        "packages with native code are not found: ModuleNotFoundError; Ray refuses to mix the two",
        anew,
      ),
    ];
  }
  if (!ofThisLock) {
    return [
      new UserError(
        `${folder} was made from another requirements.lock than this checkout has`,
        "the services run other versions than the code was written for",
        `${npm(stack, "start")} installs what the lock has now, and starts the services anew`,
      ),
    ];
  }
  return differing(seen, lock).map(
    (difference) =>
      new UserError(
        `${folder}: ${difference}`,
        "somebody installed into it: results are no longer those of the locked environment",
        anew,
      ),
  );
}

function differing({ packages }: EnvironmentSeen, lock: ReadonlyMap<string, Locked>): string[] {
  const installed = new Map(
    packages.flatMap((name) => {
      const found = /^(.+)-([^-]+)\.dist-info$/.exec(name);
      return found ? [[normalised(found[1]), found[2]] as const] : [];
    }),
  );
  // With CUDA, the one package takes the other's place.
  const cuda = installed.has("onnxruntime-gpu");
  const differ = [...lock].flatMap(([name, { versions, always }]) => {
    const version = installed.get(name);
    if (version !== undefined && !versions.includes(version)) {
      return [`${name} ${version}, locked ${versions.join(" or ")}`];
    }
    const replaced = cuda && name === "onnxruntime";
    return version === undefined && always && !replaced ? [`no ${name}`] : [];
  });
  if (differ.length === 0) return [];
  const more = differ.length > 3 ? ` and ${differ.length - 3} more` : "";
  return [`it has ${differ.slice(0, 3).join(", ")}${more}`];
}

const dists = (names: readonly string[]) => names.filter((name) => name.endsWith(".dist-info"));

function observeLocal(stack: string): EnvironmentSeen | undefined {
  const result = readStepRecord(stack, "python")?.result as
    { entry: Entry; version: string } | undefined;
  if (!result) return undefined;
  const folder = entryFolder(result.entry);
  const lib = path.join(folder, "lib");
  const packages = fs.existsSync(lib)
    ? fs
        .readdirSync(lib)
        .map((name) => path.join(lib, name, "site-packages"))
        .filter((site) => fs.existsSync(site))
        .flatMap((site) => fs.readdirSync(site))
    : [];
  const minor = result.version.split(".").slice(0, 2).join(".");
  const entries = (["cpu", "cuda"] as const).map(
    (device) => `python/${shortHash([pythonHash(device), minor, process.arch, process.platform])}`,
  );
  return {
    folder,
    python: versionOf(probe([path.join(folder, "bin", "python"), "--version"])),
    pythonThen: result.version,
    packages: dists(packages),
    ofThisLock: entries.includes(result.entry),
  };
}

function observeDocker(stack: string): EnvironmentSeen | undefined {
  const { docker, inspected } = surroundings(stack);
  const app = inspected.find(({ role, running }) => role === "app" && running);
  if (!app) return undefined;
  const script = "/opt/venv/bin/python --version && ls /opt/venv/lib/python3*/site-packages";
  const lines = docker.try(["exec", app.name, "bash", "-c", script], 20_000)?.split("\n") ?? [];
  return {
    folder: `${app.name}:/opt/venv`,
    python: versionOf(lines[0]),
    packages: dists(lines),
    // The image is named by a hash of the lock, so that a preview tells.
    ofThisLock: true,
  };
}

function versionOf(said: string | undefined): string | undefined {
  return /^Python (\S+)/.exec(said ?? "")?.[1];
}

export const environmentChecks: readonly Check[] = [
  check({
    id: "environment",
    name: "the engines' Python environment is what the lock says",
    applies: stands,
    after: ["docker"],
    observe: ({ settings, stack }: Patient) =>
      settings.target === "docker" ? observeDocker(stack) : observeLocal(stack),
    judge: (seen, { stack }) =>
      seen ? wrongEnvironment(seen, lockedPackages(), pythonRange(), stack) : [],
  }),
];
