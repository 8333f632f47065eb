import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "./folders";
import { UserError } from "../contracts/errors";
import { probe } from "./probe";

/** An interpreter to make environments with. */
export interface Python {
  readonly path: string;
  /** e.g. `3.11.7`. */
  readonly version: string;
  /** Whether it can make a virtual environment with pip; Debian splits that off. */
  readonly makesVenvs: boolean;
}

/** The minor versions of Python 3 that the lock has wheels for, both ends included. */
export interface PythonRange {
  readonly least: number;
  readonly most: number;
}

/** Reads `requires-python = ">=3.10,<3.14"`. */
export function parseRange(pyproject: string): PythonRange {
  const found = /requires-python\s*=\s*">=\s*3\.(\d+)\s*,\s*<\s*3\.(\d+)"/.exec(pyproject);
  if (!found) throw new Error('pyproject.toml has no requires-python of the form ">=3.x,<3.y"');
  return { least: Number(found[1]), most: Number(found[2]) - 1 };
}

export function pythonRange(): PythonRange {
  return parseRange(fs.readFileSync(path.join(checkout, "pipelines/pyproject.toml"), "utf8"));
}

const question = [
  "import importlib.util as u, platform, sys",
  "print(sys.executable)",
  "print(platform.python_version())",
  "print(all(u.find_spec(m) for m in ('venv', 'ensurepip')))",
].join("; ");

/** Asks an interpreter what it is; undefined where it is none, or a shim that leads nowhere. */
export function askPython(command: string): Python | undefined {
  const [executable, version, makesVenvs] =
    probe([command, "-c", question])?.trim().split("\n") ?? [];
  if (!executable || !version) return undefined;
  return { path: executable, version, makesVenvs: makesVenvs === "True" };
}

/**
 * The interpreter to use: `python3` if the lock covers it, else the newest that it covers.
 *
 * @param ask how an interpreter is asked; tests put their own machine here
 * @throws UserError that names what was found and how to install what is wanted
 */
export function findPython(range = pythonRange(), ask = askPython): Python {
  const named = Array.from(
    { length: range.most - range.least + 1 },
    (_, n) => `python3.${range.most - n}`,
  );
  const seen: Python[] = [];
  for (const command of ["python3", ...named]) {
    const python = ask(command);
    if (!python) continue;
    seen.push(python);
    if (covers(range, python.version) && python.makesVenvs) return python;
  }
  const wanted = `Python 3.${range.least} to 3.${range.most}`;
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
    `${wanted} is needed; found: ${found}`,
    "the locked packages have wheels for these versions only",
    "install one: apt-get install python3 python3-venv (or: dnf install python3.12)",
  );
}

function covers(range: PythonRange, version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major === 3 && minor >= range.least && minor <= range.most;
}
