import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestStack } from "./stack";

/**
 * A stack that this program made when its scripts and components still had former names (commit
 * daee232): its small files, as they were but for paths of that machine, secrets and most records.
 * No service of it stands, as after a reboot.
 */
class OldStack extends TestStack {
  override readonly name = "old";

  constructor() {
    super("embedded", 19_500); // as its settings say
    fs.cpSync(path.join(__dirname, "oldStack"), this.folder, { recursive: true });
  }
}

/** A step is a process of its own, and there are many. */
const minutes = (n: number) => n * 60_000;

describe("a stack of an older version", () => {
  let stack: OldStack;
  beforeAll(() => {
    stack = new OldStack();
  });
  afterAll(() => fs.rmSync(stack.home, { recursive: true, force: true }));

  it.each([
    ["outputs", "--json"],
    ["status"],
    ["results"],
    ["report"],
    ["explain", "daft/image-embeddings"],
  ])(
    "is understood by %s",
    async (verb, ...args) => {
      const { code, stdout, stderr } = await stack.run(verb, ...args);
      expect(code, stdout + stderr).toBe(0);
    },
    minutes(1),
  );

  it(
    "is known as the same: nothing of it would be deleted, nor made beside it",
    async () => {
      const { code, stdout, stderr } = await stack.run("preview", "--json");
      expect(code, stderr).toBe(0);
      const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
      const others = steps.filter(({ op }) => op !== "update" && op !== "replace");
      expect(others.map(({ op, urn }) => `${op} ${urn}`)).toEqual([]);
      expect(steps.map(({ urn }) => urn.split("::").at(-1))).toContain("credentials");
    },
    minutes(2),
  );

  it(
    "is destroyed by what its state recorded",
    async () => {
      const { code, stdout, stderr } = await stack.run("destroy");
      expect(code, stdout + stderr).toBe(0);
      expect(fs.readdirSync(stack.folder).sort()).toEqual([
        "Pulumi.old.yaml",
        "history",
        "passphrase",
      ]);
    },
    minutes(4),
  );
});
