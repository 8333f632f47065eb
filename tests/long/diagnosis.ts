import { spawn } from "node:child_process";
import { expect } from "vitest";
import { checkout } from "../e2e/stack";

/** What `npm run doctor` said and ended with. */
export interface Diagnosis {
  readonly code: number | null;
  /** What is wrong, by the check that has found it. */
  readonly wrong: Readonly<Record<string, readonly string[]>>;
  /** Checks that were left out, with the one that has found their cause. */
  readonly skipped: Readonly<Record<string, string>>;
  /** All that it said. */
  readonly text: string;
}

/** A diagnosis without trouble, for `toEqual`. */
export const nothingWrong = {
  code: 0,
  wrong: {},
  skipped: {},
  text: expect.stringMatching(/"check": "folders"/) as string,
};

interface Told {
  readonly checks: readonly {
    readonly check: string;
    readonly skippedFor?: string;
    readonly wrong: readonly { readonly what: string }[];
  }[];
}

/**
 * Runs `npm run doctor -- --json`, without npm's own words.
 *
 * @param env besides the test's own environment
 * @param inside a program, with arguments, that is told the command to run: `unshare -m sh -c ...`
 * @throws Error where it prints no diagnosis
 */
export async function doctor(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  inside: readonly string[] = [],
): Promise<Diagnosis> {
  const [program, ...rest] = [...inside, process.execPath, "cli/main.mjs", "doctor", "--json"];
  const child = spawn(program, [...rest, ...args], {
    cwd: checkout,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [text, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  if (!text.startsWith("{")) throw new Error(`doctor ended with ${code}: ${errors}${text}`);
  const { checks } = JSON.parse(text) as Told;
  return {
    code,
    wrong: Object.fromEntries(
      checks
        .filter(({ wrong }) => wrong.length > 0)
        .map(({ check, wrong }) => [check, wrong.map(({ what }) => what)]),
    ),
    skipped: Object.fromEntries(
      checks.flatMap(({ check, skippedFor }) => (skippedFor ? [[check, skippedFor]] : [])),
    ),
    text,
  };
}
