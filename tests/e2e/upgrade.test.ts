import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { TestStack } from "./stack";

/**
 * Stack folders that releases left, one folder a release: its small files, without paths of that
 * machine and without secrets. No service of it runs, as after a reboot. Before the first release
 * there is none: states of older commits need no upgrade.
 */
const folder = path.join(__dirname, "releases");
const releases = fs.existsSync(folder) ? fs.readdirSync(folder) : [];

class ReleasedStack extends TestStack {
  override readonly name = "old";

  constructor(release: string) {
    super("embedded", 19_500); // as its settings say
    fs.cpSync(path.join(folder, release), this.folder, { recursive: true });
  }
}

/** A step is a process, and there are many. */
const minutes = (n: number) => n * 60_000;

it.skipIf(releases.length === 0)("has a release to upgrade from", () => {
  expect(releases).not.toEqual([]);
});

describe.each(releases)("a stack of release %s", (release) => {
  it(
    "is read, updated without a delete, and destroyed",
    async () => {
      const stack = new ReleasedStack(release);
      try {
        for (const verb of ["outputs", "status", "results", "report"]) {
          const { code, stdout, stderr } = await stack.run(verb);
          expect(code, stdout + stderr).toBe(0);
        }
        const { code, stdout, stderr } = await stack.run("preview", "--json");
        expect(code, stderr).toBe(0);
        const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
        expect(steps.filter(({ op }) => op !== "update" && op !== "replace")).toEqual([]);
        const destroyed = await stack.run("destroy");
        expect(destroyed.code, destroyed.stdout + destroyed.stderr).toBe(0);
      } finally {
        fs.rmSync(stack.home, { recursive: true, force: true });
      }
    },
    minutes(6),
  );
});
