import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import { probe } from "./probe";

/** A JDK that Spark runs on. */
export interface Java {
  /** The folder for JAVA_HOME. */
  readonly home: string;
  readonly version: string;
}

/** What is known of a folder that may be a JDK. */
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
export function javaHomes(): string[] {
  const { JAVA_HOME, PATH = "" } = process.env;
  const homes = JAVA_HOME ? [JAVA_HOME] : [];
  for (const folder of PATH.split(path.delimiter)) {
    try {
      homes.push(path.resolve(fs.realpathSync(path.join(folder, "java")), "..", ".."));
    } catch {
      // no java in this folder
    }
  }
  return [...new Set(homes)];
}

/** Reads a JDK's `release` file, which is quicker than to start it; starts it where that tells too little. */
export function inspectJava(home: string): JavaFacts | undefined {
  const java = path.join(home, "bin", "java");
  if (!fs.existsSync(java)) return undefined;
  let release = "";
  try {
    release = fs.readFileSync(path.join(home, "release"), "utf8");
  } catch {
    // some packagers leave it out
  }
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
  const fitting = candidates.filter(({ version }) => suitable.includes(majorOf(version)));
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

function majorOf(version: string): number {
  const [first, second] = version.split(/[.+-]/).map(Number);
  return first === 1 ? second : first;
}
