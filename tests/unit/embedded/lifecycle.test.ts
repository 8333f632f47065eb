import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import * as embedded from "../../../embedded";
import { Project } from "./graph";

const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const URN = "urn:pulumi:test::outputs::";

describe("a program with components, secrets and outputs", () => {
  let project: Project;
  afterEach(() => project.remove());

  const config = (word: string) => ({
    config: { "outputs:word": word, "outputs:token": "t0ken" },
    secretKeys: ["outputs:token"],
  });

  it("is deployed, updated and destroyed", async () => {
    project = new Project("outputs");
    const first = await project.preview(config("hello"));
    expect(first).toMatchObject({ ok: true, changes: { create: 5 } });
    expect(first.outputs).toEqual({
      both: "[unknown]",
      word: "hello",
      printedToken: "[unknown]",
      nested: { list: [1, true, null], token: "[secret]" },
      organization: "organization",
    });
    expect(fs.existsSync(project.stackFolder)).toBe(false);

    const made = await project.up(config("hello"));
    expect(made).toMatchObject({ ok: true, errors: [], changes: { create: 5 } });
    expect(project.logs("info")).toContain("the program speaks");
    // One newline goes, as with the provider.
    expect(made.outputs).toEqual({
      both: "hello\n|hello",
      word: "hello",
      printedToken: "t0ken",
      nested: { list: [1, true, null], token: "[secret]" },
      organization: "organization",
    });
    const shown = await project.secretOutputs();
    expect(shown).toMatchObject({ both: "hello\n|hello", nested: { token: "t0ken" } });
    expect(embedded.outputs(project.stackFolder)).toEqual(made.outputs);

    const state = project.state();
    const parent = `${URN}outputs:index:Pair::pair`;
    expect(state.pair).toMatchObject({
      urn: parent,
      custom: false,
      parent: `${URN}pulumi:pulumi:Stack::outputs-test`,
      inputs: { word: "hello" },
    });
    expect(state["pair-first"]).toMatchObject({
      urn: `${URN}outputs:index:Pair$command:local:Command::pair-first`,
      parent,
      provider: `${URN}pulumi:providers:command::default_1_2_1::${String(state.default_1_2_1?.id)}`,
      inputs: {
        environment: { WORD: "hello", TOKEN: { ciphertext: expect.any(String) as string } },
      },
      outputs: { stdout: "hello\n", stderr: "noise" },
    });
    expect(state["pair-second"]).toMatchObject({
      dependencies: [`${URN}outputs:index:Pair$command:local:Command::pair-first`],
      propertyDependencies: {
        stdin: [`${URN}outputs:index:Pair$command:local:Command::pair-first`],
        triggers: [],
      },
    });
    // What a Command prints is stored as it is, even if its stdin was secret.
    expect(state.token?.outputs).toMatchObject({ stdout: "t0ken" });
    const { stdin } = state.token?.outputs as { stdin: Record<string, string> };
    expect(stdin["4dabf18193072939515e22adb298388d"]).toBe(SECRET);

    const again = await project.up(config("hello"));
    expect(again).toMatchObject({ ok: true, changes: { same: 5 }, outputs: made.outputs });

    const changed = await project.preview(config("bye"));
    expect(changed.changes).toEqual({ same: 2, update: 2, replace: 1 });
    const steps = project.events.flatMap((event) =>
      event.kind === "done" && event.op !== "same"
        ? [{ op: event.op, urn: event.urn, diff: event.diff ?? [] }]
        : [],
    );
    expect(steps).toEqual([
      {
        op: "update",
        urn: parent,
        diff: [{ path: "word", kind: "update", old: "hello", new: "bye" }],
      },
      {
        op: "update",
        urn: `${URN}outputs:index:Pair$command:local:Command::pair-first`,
        diff: [{ path: "environment.WORD", kind: "update", old: "hello", new: "bye" }],
      },
      {
        op: "replace",
        urn: `${URN}outputs:index:Pair$command:local:Command::pair-second`,
        diff: [
          { path: "stdin", kind: "update", old: "hello\n", new: "[unknown]" },
          { path: "triggers[0].word", kind: "update", old: "hello", new: "bye" },
        ],
      },
      {
        op: "delete-replaced",
        urn: `${URN}outputs:index:Pair$command:local:Command::pair-second`,
        diff: [],
      },
    ]);
    const updated = await project.up(config("bye"));
    expect(updated).toMatchObject({ ok: true, changes: { same: 2, update: 2, replace: 1 } });
    const after = await project.secretOutputs();
    expect(after.both).toBe("bye updated|bye updated");

    expect(await project.destroy()).toMatchObject({ ok: true, changes: { delete: 5 } });
    expect(project.state()).toEqual({});
    expect(embedded.outputs(project.stackFolder)).toEqual({});
  }, 120_000);

  it("is not opened with another passphrase", async () => {
    project = new Project("outputs");
    await project.up(config("hello"));
    await expect(project.up({ ...config("hello"), passphrase: "wrong" })).rejects.toThrow(
      /passphrase does not open/,
    );
    expect(fs.existsSync(path.join(project.stackFolder, "lock.json"))).toBe(false);
  }, 120_000);
});

describe("what the embedded runner does not have", () => {
  let project: Project;
  afterEach(() => project.remove());

  it.each([
    ["type", "other: the resource type random:index/randomId:RandomId is not supported"],
    ["invoke", "The function command:local:run is not supported"],
    ["reference", "Reading the resource organization/project/stack (pulumi:pulumi:StackReference)"],
    ["hook", "A resource hook is not supported"],
  ])(
    "is refused by name: %s",
    async (use, message) => {
      project = new Project("refused");
      const begun = Date.now();
      const outcome = await project.up({ config: { "refused:use": use } });
      expect(outcome.ok).toBe(false);
      expect(outcome.errors).toEqual([expect.stringContaining(message)]);
      // The SDK must end at once, not spend half a minute on the error.
      expect(Date.now() - begun).toBeLessThan(30_000);
    },
    120_000,
  );

  it.each([
    ["exit", "the program ended before it had registered all its resources"],
    ["throw", "thrown by the program"],
  ])(
    "a program that does not get to its end deletes nothing: %s",
    async (use, message) => {
      project = new Project("refused");
      expect(await project.up({ config: { "refused:use": "nothing" } })).toMatchObject({
        ok: true,
      });
      const outcome = await project.up({ config: { "refused:use": use } });
      expect(outcome.ok).toBe(false);
      expect(outcome.errors.join()).toContain(message);
      expect(Object.keys(project.state())).toContain("before");
      expect(fs.existsSync(path.join(project.dir, "deleted"))).toBe(false);
    },
    120_000,
  );
});
