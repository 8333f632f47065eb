import { Result } from "@pulumi/pulumi/proto/resource_pb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unknownValue } from "../../../embedded/values";
import { Direct } from "./direct";
import { logged, type GraphNode } from "./graph";

const ALL = ["create", "update", "delete"];
const urn = (name: string) => `urn:pulumi:s::p::command:local:Command::${name}`;

describe("the engine", () => {
  let stack: Direct;
  beforeEach(() => {
    stack = new Direct();
  });
  afterEach(() => stack.remove());

  const run = (name: string, when: string, more: Partial<GraphNode> = {}): GraphNode => ({
    name,
    ...more,
    inputs: { ...logged(name, ["create", "delete"]), triggers: [{ when }], ...more.inputs },
  });
  const thing = (name: string, value: string, more: Partial<GraphNode> = {}): GraphNode => ({
    name,
    ...more,
    inputs: { ...logged(name, ALL), environment: { V: value }, ...more.inputs },
  });

  it("updates what stands, by create where there is no update, and replaces on triggers only", async () => {
    const oneVerb = (value: string) => ({
      name: "c",
      inputs: { ...logged("c"), environment: { V: value } },
    });
    await stack.up([thing("a", "1"), run("b", "1"), oneVerb("1")]);
    expect(stack.log().sort()).toEqual(["create a", "create b", "create c"]);
    const ids = stack.resources();
    const outcome = await stack.up([thing("a", "2"), run("b", "2"), oneVerb("2")]);
    expect(stack.log().sort()).toEqual(["create b", "create c", "delete b", "update a"]);
    expect(outcome.changes).toEqual({ same: 1, update: 2, replace: 1 });
    const now = stack.resources();
    expect(now.a).toMatchObject({ id: ids.a?.id, outputs: { stdout: "a update" } });
    expect(now.b?.id).not.toBe(ids.b?.id);
    expect(await stack.up([thing("a", "2"), run("b", "2"), oneVerb("2")])).toMatchObject({
      ok: true,
      changes: { same: 4 },
    });
  });

  it("replaces by a new create first and the old delete at the very end", async () => {
    const chain = (when: string) => [
      run("a", when),
      thing("b", when, { inputs: { stdin: { $stdout: "a" } } }),
    ];
    await stack.up(chain("1"));
    stack.log();
    await stack.up(chain("2"));
    expect(stack.log()).toEqual(["create a", "update b", "delete a"]);
  });

  it("deletes dependents before what they depend on", async () => {
    await stack.up([
      thing("a", "1"),
      thing("b", "1", { dependsOn: ["a"] }),
      thing("c", "1", { inputs: { stdin: { $stdout: "b" } } }),
      { name: "group", component: true, dependsOn: ["c"] },
      thing("d", "1", { parent: "group" }),
    ]);
    stack.log();
    const outcome = await stack.up([]);
    expect(outcome.ok).toBe(true);
    expect(stack.log().filter((line) => line !== "delete d")).toEqual([
      "delete c",
      "delete b",
      "delete a",
    ]);
    expect(stack.resources()).toEqual({});
  });

  it("runs no more than so many at the same time", async () => {
    const slow = (name: string): GraphNode => ({
      name,
      inputs: { create: "echo start >> log; sleep 0.1; echo end >> log" },
    });
    await stack.up(["a", "b", "c"].map(slow), { parallel: 1 });
    expect(stack.log()).toEqual(["start", "end", "start", "end", "start", "end"]);
  });

  describe("after a failed step", () => {
    const nodes = (value: string) => [
      thing("a", value),
      thing("b", value, { inputs: { stdin: { $stdout: "a" } } }),
      thing("c", value),
    ];

    it("keeps what a failed update was before, starts nothing new and deletes nothing", async () => {
      await stack.up([...nodes("1"), thing("gone", "1")]);
      stack.log();
      const before = stack.resources();
      const outcome = await stack.break("update a").up(nodes("2"));
      expect(outcome.ok).toBe(false);
      expect(outcome.errors).toEqual([expect.stringMatching(/^a: exit status 1: running "echo/)]);
      expect(stack.log()).not.toContain("update b");
      expect(stack.resources().a).toEqual(before.a);
      expect(Object.keys(stack.resources()).sort()).toEqual(["a", "b", "c", "gone"]);
      expect(stack.state.pending).toEqual([]);

      await stack.break().up(nodes("2"));
      expect(Object.keys(stack.resources()).sort()).toEqual(["a", "b", "c"]);
      expect(stack.resources().b?.outputs?.stdin).toBe("a update");
    });

    it("has nothing of a failed create in the state", async () => {
      const outcome = await stack.break("create a").up(nodes("1"));
      expect(outcome.ok).toBe(false);
      expect(Object.keys(stack.resources())).not.toContain("a");
    });

    it("keeps the old half of a failed replacement as it was", async () => {
      await stack.up([run("a", "1")]);
      const before = stack.resources();
      expect((await stack.break("create a").up([run("a", "2")])).ok).toBe(false);
      expect(stack.resources()).toEqual(before);
    });

    it("waits for what runs and records it", async () => {
      const slow = { name: "slow", inputs: { create: "sleep 0.5; echo done" } };
      const fast = { name: "fast", inputs: { create: "sleep 0.1; exit 1" } };
      const late = {
        name: "late",
        inputs: { create: "echo x >> log", stdin: { $stdout: "slow" } },
      };
      expect((await stack.up([slow, fast, late])).ok).toBe(false);
      expect(stack.resources().slow?.outputs?.stdout).toBe("done");
      expect(stack.log()).toEqual([]);
    });

    it("goes on with what is independent where that is wanted", async () => {
      await stack.up([...nodes("1"), thing("gone", "1")]);
      stack.log();
      const outcome = await stack.break("update a").up(nodes("2"), { continueOnError: true });
      expect(outcome.ok).toBe(false);
      expect(stack.log().sort()).toEqual(["delete gone", "update a", "update c"]);
      expect([...stack.results]).toEqual(
        expect.arrayContaining([
          ["a", Result.FAIL],
          ["b", Result.SKIP],
          ["c", Result.SUCCESS],
        ]),
      );
      expect(stack.events).toContainEqual(
        expect.objectContaining({
          kind: "skipped",
          name: "b",
          error: "needs a, which was not done",
        }),
      );
      expect(Object.keys(stack.resources()).sort()).toEqual(["a", "b", "c"]);
      expect(stack.resources().b?.inputs?.environment).toEqual({ V: "1" });
    });

    it("deletes nothing that something still needs", async () => {
      await stack.up([thing("a", "1"), thing("b", "1", { dependsOn: ["a"] }), thing("c", "1")]);
      stack.log();
      const outcome = await stack.break("delete b").up([], { continueOnError: true });
      expect(outcome.ok).toBe(false);
      expect(stack.log().sort()).toEqual(["delete b", "delete c"]);
      expect(Object.keys(stack.resources())).toEqual(["a", "b"]);
      expect((await stack.break().up([])).ok).toBe(true);
    });

    it("tries the delete of a replaced half again", async () => {
      await stack.up([run("a", "1")]);
      await stack.break("delete a").up([run("a", "2")]);
      expect(Object.keys(stack.resources())).toEqual(["a", "a (old)"]);
      stack.log();
      expect(await stack.break().up([run("a", "2")])).toMatchObject({ ok: true });
      expect(stack.log()).toEqual(["delete a"]);
      expect(Object.keys(stack.resources())).toEqual(["a"]);
    });
  });

  it("deletes nothing after a failed program", async () => {
    await stack.up([thing("a", "1"), thing("b", "1")]);
    stack.log();
    expect((await stack.up([thing("a", "1")], { fails: true })).ok).toBe(false);
    expect(stack.log()).toEqual([]);
    expect(Object.keys(stack.resources())).toEqual(["a", "b"]);
  });

  it("keeps old outputs of the stack after a failure and takes the new ones over", async () => {
    await stack.up([thing("a", "1")]);
    const old = stack.state.resources[0];
    Object.assign(old?.outputs ?? {}, { other: "kept" });
    const failed = await stack.up([thing("a", "1"), thing("b", "1")], { fails: true });
    expect(failed.outputs).toEqual({ count: 2, other: "kept" });
    expect((await stack.up([thing("a", "1")])).outputs).toEqual({ count: 1 });
  });

  it("once canceled waits for what runs, records it and starts nothing more", async () => {
    const cancel = new AbortController();
    const slow = { name: "slow", inputs: { create: "echo slow >> log; sleep 0.6" } };
    const late = {
      name: "late",
      inputs: { create: "echo late >> log", stdin: { $stdout: "slow" } },
    };
    setTimeout(() => cancel.abort(), 200);
    const outcome = await stack.up([slow, late], { signal: cancel.signal });
    expect(outcome).toMatchObject({ ok: false, errors: ["canceled"] });
    expect(stack.log()).toEqual(["slow"]);
    expect(Object.keys(stack.resources())).toEqual(["slow"]);
  });

  it("notes each step as pending before it starts", async () => {
    const seen: unknown[] = [];
    const node = { name: "a", inputs: { create: "sleep 0.2" } };
    const running = stack.up([node]);
    await new Promise((resolve) => setTimeout(resolve, 120));
    seen.push(...stack.state.pending.map(({ type, resource }) => [type, resource.urn]));
    await running;
    expect(seen).toEqual([["creating", urn("a")]]);
    expect(stack.state.pending).toEqual([]);
  });

  it("forgets what an interrupted run left pending", async () => {
    await stack.up([thing("a", "1")]);
    stack.state.pending = [
      { type: "creating", resource: { urn: urn("x"), type: "t", custom: true } },
    ];
    expect((await stack.up([thing("a", "1")])).ok).toBe(true);
    expect(stack.state.pending).toEqual([]);
  });

  describe("honours", () => {
    it("deletedWith: what goes with something is dropped and not deleted", async () => {
      const nodes = [
        thing("store", "1"),
        thing("bucket", "1", { deletedWith: "store" }),
        { name: "group", component: true, deletedWith: "store" },
        thing("inherits", "1", { parent: "group" }),
      ];
      await stack.up(nodes);
      stack.log();
      await stack.up(nodes.filter(({ name }) => name !== "bucket"));
      expect(stack.log()).toEqual(["delete bucket"]);
      await stack.up(nodes);
      stack.log();
      await stack.up([], { destroy: true });
      expect(stack.log()).toEqual(["delete store"]);
      expect(stack.state.resources).toEqual([]);
    });

    it("an order to replace, though nothing has changed", async () => {
      const nodes = [run("a", "1"), thing("b", "1")];
      await stack.up(nodes);
      stack.log();
      const outcome = await stack.up(nodes, { replaceUrns: [urn("a")] });
      expect(outcome.changes).toEqual({ same: 2, replace: 1 });
      expect(stack.log()).toEqual(["create a", "delete a"]);
    });
  });

  describe("in a preview", () => {
    it("runs and writes nothing and does not know what will be printed", async () => {
      await stack.up([run("a", "1"), thing("b", "1"), thing("gone", "1")]);
      stack.log();
      const before = structuredClone(stack.state);
      const outcome = await stack.up(
        [
          run("a", "2"),
          thing("b", "2"),
          thing("c", "1", { inputs: { stdin: { $stdout: "b" }, triggers: [{ $stdout: "a" }] } }),
        ],
        { preview: true },
      );
      expect(outcome).toMatchObject({
        ok: true,
        changes: { same: 1, replace: 1, update: 1, create: 1, delete: 1 },
      });
      expect(stack.log()).toEqual([]);
      expect(stack.state).toEqual(before);
    });

    it("what depends on an update is an update too", async () => {
      const nodes = (value: string) => [
        thing("a", value),
        thing("b", "1", { inputs: { stdin: { $stdout: "a" } } }),
      ];
      await stack.up(nodes("1"));
      await stack.up(nodes("2"), { preview: true });
      const diff = [{ path: "stdin", kind: "update", old: "a create", new: "[unknown]" }];
      expect(stack.events).toContainEqual(
        expect.objectContaining({ kind: "done", name: "b", op: "update", diff }),
      );
      expect(unknownValue).not.toBe("[unknown]");
    });
  });

  it("refuses two resources of one name, an input that it does not have and an unknown parent", async () => {
    expect((await stack.up([thing("a", "1"), thing("a", "1")])).errors.join()).toContain(
      "Duplicate resource URN",
    );
    expect((await stack.up([{ name: "x", inputs: { dir: "y" } }])).errors).toEqual([
      'x: the input "dir" of command:local:Command is not supported by the embedded runner',
    ]);
  });
});
