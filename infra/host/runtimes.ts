import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import { attempt, checkout, readOr } from "./folders";
import { probe } from "./probe";

export interface Java {
  /** The folder for JAVA_HOME. */
  readonly home: string;
  readonly version: string;
}

export interface JavaFacts extends Java {
  readonly modules: ReadonlySet<string>;
}

/** The versions that Spark 4.1 supports (https://spark.apache.org/docs/latest/). */
const suitable = [17, 21];

/** Spark starts every JVM with `--add-modules` of this one; cut-down runtimes lack it. */
const wantedModule = "jdk.incubator.vector";

const advice =
  "install one: apt-get install openjdk-17-jdk-headless (or: dnf install java-21-openjdk-devel), " +
  "or set JAVA_HOME to one";

/** Candidates in the order of preference: JAVA_HOME, then what `java` on PATH leads to. */
function javaHomes(): string[] {
  const { JAVA_HOME, PATH = "" } = process.env;
  const onPath = PATH.split(path.delimiter).flatMap((folder) => {
    const java = attempt(() => fs.realpathSync(path.join(folder, "java")));
    return java ? [path.resolve(java, "..", "..")] : [];
  });
  return [...new Set([...(JAVA_HOME ? [JAVA_HOME] : []), ...onPath])];
}

/** Reads a JDK's `release` file, which is quicker than to start it; starts it where that says too little. */
export function inspectJava(home: string): JavaFacts | undefined {
  const java = path.join(home, "bin", "java");
  if (!fs.existsSync(java)) return undefined;
  const release = readOr(path.join(home, "release")) ?? ""; // some packagers leave it out
  const version =
    /^JAVA_VERSION="([^"]+)"/m.exec(release)?.[1] ??
    /openjdk ([\d.]+)|java ([\d.]+)/
      .exec(probe([java, "--version"]) ?? "")
      ?.slice(1)
      .find(Boolean);
  if (!version) return undefined;
  const modules =
    /^MODULES="([^"]+)"/m.exec(release)?.[1]?.split(" ") ??
    (probe([java, "--list-modules"]) ?? "").split("\n").map((line) => line.split("@")[0]);
  return { home, version, modules: new Set(modules) };
}

/**
 * The JDK to use.
 *
 * @param candidates facts of the folders that were looked at, in the order of preference
 * @throws UserError that names what was found and how to install what is wanted
 */
export function chooseJava(candidates: readonly JavaFacts[]): Java {
  const fitting = candidates.filter(({ version }) => suitable.includes(parseInt(version)));
  const whole = fitting.find(({ modules }) => modules.has(wantedModule));
  if (whole) return { home: whole.home, version: whole.version };
  const wanted = `a full JDK ${suitable.join(" or ")}`;
  if (fitting[0]) {
    throw new UserError(
      `${wanted} is needed, but ${fitting[0].home} (${fitting[0].version}) lacks the module ${wantedModule}`,
      "Spark starts no JVM without it",
      advice,
    );
  }
  const found = candidates.map(({ home, version }) => `${home} (${version})`).join(", ") || "none";
  throw new UserError(`${wanted} is needed; found: ${found}`, "Spark runs on it", advice);
}

export function findJava(): Java {
  return chooseJava(javaHomes().flatMap((home) => inspectJava(home) ?? []));
}

export type Python = NonNullable<ReturnType<typeof askPython>>;

/** The minor versions of Python 3 that the lock has wheels for, both ends included. */
export type PythonRange = ReturnType<typeof pythonRange>;

const projectFile = path.join(checkout, "pipelines/pyproject.toml");

/** Reads `requires-python = ">=3.10,<3.14"`. */
export function pythonRange(pyproject = fs.readFileSync(projectFile, "utf8")) {
  const found = /requires-python\s*=\s*">=\s*3\.(\d+)\s*,\s*<\s*3\.(\d+)"/.exec(pyproject);
  if (!found) throw new Error('pyproject.toml has no requires-python of the form ">=3.x,<3.y"');
  return { min: Number(found[1]), max: Number(found[2]) - 1 };
}

const question = [
  "import importlib.util as u, platform, sys",
  "print(sys.executable)",
  "print(platform.python_version())",
  "print(all(u.find_spec(m) for m in ('venv', 'ensurepip')))",
].join("; ");

/** Asks an interpreter what it is; undefined for what is no interpreter, or a shim that leads nowhere. */
export function askPython(command: string) {
  const [executable, version, makesVenvs] =
    probe([command, "-c", question])?.trim().split("\n") ?? [];
  if (!executable || !version) return undefined;
  return {
    path: executable,
    version,
    /** Whether it can make a virtual environment with pip; Debian splits that off. */
    makesVenvs: makesVenvs === "True",
  };
}

/**
 * The interpreter to use: `python3` on PATH, else the newest that the lock covers.
 *
 * @param ask how an interpreter is asked; tests put their own machine here
 * @throws UserError that names what was found and how to install what is wanted
 */
export function findPython(range = pythonRange(), ask = askPython): Python {
  const named = Array.from(
    { length: range.max - range.min + 1 },
    (_, n) => `python3.${range.max - n}`,
  );
  const seen: Python[] = [];
  for (const command of ["python3", ...named]) {
    const python = ask(command);
    if (python?.makesVenvs && covers(range, python.version)) return python;
    if (python) seen.push(python);
  }
  const bare = seen.find((python) => covers(range, python.version));
  if (bare) {
    throw new UserError(
      `${bare.path} (${bare.version}) lacks the modules venv and ensurepip`,
      "the engines are installed into an environment of their own",
      "install them: apt-get install python3-venv",
    );
  }
  const found = seen.map((python) => `${python.path} (${python.version})`).join(", ") || "none";
  throw new UserError(
    `Python 3.${range.min} to 3.${range.max} is needed; found: ${found}`,
    "the locked packages have wheels for these versions only",
    "install one: apt-get install python3 python3-venv (or: dnf install python3.12)",
  );
}

/**
 * Whether the interpreter of an environment still is the one that its packages were installed for.
 * It is a link to the system's Python, which may have been removed, or upgraded to a minor version
 * that finds none of them.
 */
export function isEnvironmentUsable(folder: string): boolean {
  const { madeFor, now } = environmentVersions(folder);
  return madeFor !== undefined && now !== undefined && minorOf(madeFor) === minorOf(now);
}

/** The versions that an environment was made for and has now; undefined without one. */
export function environmentVersions(folder: string): { madeFor?: string; now?: string } {
  // Missing where it is not an environment, or one that is cut short.
  const config = readOr(path.join(folder, "pyvenv.cfg")) ?? "";
  const madeFor = /^version(?:_info)?\s*=\s*(\S+)/m.exec(config)?.[1];
  return { madeFor, now: versionBehind(path.join(folder, "bin", "python")) };
}

/** The version of the interpreter that a link leads to: by its name, which is quicker than to start it. */
function versionBehind(link: string): string | undefined {
  const program = attempt(() => fs.realpathSync(link)); // unless the system's Python was removed
  const [, named] = /^python(3\.\d+)$/.exec(path.basename(program ?? "")) ?? [];
  return named ?? (program && parseVersion(probe([link, "--version"])));
}

/** Reads `Python 3.11.7`. */
export function parseVersion(said: string | undefined): string | undefined {
  return /^Python (\S+)/.exec(said ?? "")?.[1];
}

/** `3.11` of `3.11.7`. */
export function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

export function covers(range: PythonRange, version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major === 3 && minor >= range.min && minor <= range.max;
}
