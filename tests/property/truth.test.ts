import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Direct } from "../unit/embedded/direct";
import type { GraphNode } from "../unit/embedded/graph";

const NAMES = ["a", "b", "c", "d", "e", "f"];
const VERBS = ["create", "update", "delete"];

/** A program, and what becomes of its deployment. */
interface Edit {
  nodes: GraphNode[];
  /** `<verb> <name>` */
  broken: string[];
  continueOnError: boolean;
  /** The program throws after it has registered everything. */
  fails: boolean;
  destroy: boolean;
  /** Names of what is replaced although nothing about it has changed. */
  replace: string[];
  parallel: number;
  /** Milliseconds after which no new step is started; the deployment may be done by then. */
  cancelAfter: number | undefined;
}

/** A command that says what it does, before and after, and prints it; some take their time. */
function told(name: string, verbs: string[], milliseconds: number): Record<string, string> {
  return Object.fromEntries(
    verbs.map((verb) => [
      verb,
      [
        `echo 'begin ${verb} ${name}' >> log`,
        `sleep ${milliseconds / 1000}`,
        `test ! -e 'broken-${verb}-${name}'`,
        // What it was given and is known to have done in the end is part of what it prints.
        `echo "end ${verb} ${name} $V" >> log`,
        `echo "${name} ${verb} $V"`,
      ].join(" && "),
    ]),
  );
}

function node(name: string, earlier: string[]): fc.Arbitrary<GraphNode> {
  const some = earlier.length ? fc.constantFrom(...earlier) : fc.constant(undefined);
  const rarely = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });
  return fc
    .record({
      updates: fc.boolean(),
      deletes: fc.nat(3).map((n) => n > 0),
      milliseconds: fc.constantFrom(0, 0, 0, 30, 120),
      value: fc.constantFrom("1", "2"),
      trigger: rarely(fc.constantFrom("x", "y")),
      stdin: rarely(some),
      dependsOn: fc.subarray(earlier, { maxLength: Math.min(2, earlier.length) }),
      deletedWith: rarely(some),
    })
    .map((drawn) => {
      const verbs = VERBS.filter(
        (verb) =>
          verb === "create" ||
          (verb === "update" && drawn.updates) ||
          (verb === "delete" && drawn.deletes),
      );
      return {
        name,
        dependsOn: drawn.dependsOn,
        ...(drawn.deletedWith && { deletedWith: drawn.deletedWith }),
        inputs: {
          ...told(name, verbs, drawn.milliseconds),
          environment: { V: drawn.value },
          ...(drawn.trigger && { triggers: [{ when: drawn.trigger }] }),
          ...(drawn.stdin && { stdin: { $stdout: drawn.stdin } }),
        },
      };
    });
}

const rarely = (one: number) => fc.nat(one - 1).map((n) => n === 0);

const edit: fc.Arbitrary<Edit> = fc.record({
  nodes: fc
    .subarray(NAMES)
    .chain((names) => fc.tuple(...names.map((name, i) => node(name, names.slice(0, i))))),
  broken: fc.oneof(
    fc.constant<string[]>([]),
    fc.subarray(
      NAMES.flatMap((name) => VERBS.map((verb) => `${verb} ${name}`)),
      { maxLength: 4 },
    ),
  ),
  continueOnError: fc.boolean(),
  fails: rarely(8),
  destroy: rarely(8),
  replace: fc.oneof(fc.constant<string[]>([]), fc.subarray(NAMES, { maxLength: 2 })),
  parallel: fc.constantFrom(1, 2, 8),
  cancelAfter: fc.option(fc.nat(250), { nil: undefined, freq: 2 }),
});

const urn = (name: string) => `urn:pulumi:s::p::command:local:Command::${name}`;

/** A line of the log: what a command has said. */
type Said = [moment: string, verb: string, name: string, value?: string];

/** What the commands have said since the last call, in order. */
function said(stack: Direct): Said[] {
  return stack.log().map((line) => line.split(" ") as Said);
}

/** What each resource has printed last, of those that were made or updated. */
function printedBy(lines: Said[]): Map<string, string> {
  const done = lines.filter(([moment, verb]) => moment === "end" && verb !== "delete");
  return new Map(done.map(([, verb, name, value]) => [name, `${name} ${verb} ${value}`]));
}

function apply(stack: Direct, each: Edit) {
  const cancel = new AbortController();
  const timer =
    each.cancelAfter === undefined ? undefined : setTimeout(() => cancel.abort(), each.cancelAfter);
  const more = {
    continueOnError: each.continueOnError,
    fails: each.fails,
    destroy: each.destroy,
    parallel: each.parallel,
    replaceUrns: each.replace.map(urn),
    signal: cancel.signal,
  };
  return stack
    .break(...each.broken)
    .up(each.nodes, more)
    .finally(() => clearTimeout(timer));
}

describe("the embedded runner, when commands are slow, fail or are cancelled", () => {
  it("begins nothing twice, keeps what was done and can always go on to the end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 2, maxLength: 4 }), async (edits) => {
        const stack = new Direct();
        /** What each resource that was made has printed last, as the commands themselves know it. */
        const printed = new Map<string, string>();
        const see = (lines: Said[]) =>
          printedBy(lines).forEach((text, name) => printed.set(name, text));
        try {
          for (const each of edits) {
            const before = stack.resources();
            const outcome = await apply(stack, each);
            const lines = said(stack);
            see(lines);
            checkLog(lines, each, outcome.ok);
            checkState(stack, before, lines);
          }
          // Whatever came before: unhindered, the last program is carried out and then stands.
          const last = { ...edits[edits.length - 1], ...unhindered };
          const done = await apply(stack, last);
          expect(done.errors).toEqual([]);
          see(said(stack));
          expect(Object.keys(stack.resources()).sort()).toEqual(
            last.nodes.map((n) => n.name).sort(),
          );
          expect((await apply(stack, last)).changes).toEqual({ same: last.nodes.length + 1 });
          expect(said(stack)).toEqual([]);
          for (const [name, { outputs }] of Object.entries(stack.resources())) {
            expect(outputs?.stdout).toBe(printed.get(name));
          }
          await apply(stack, { ...last, destroy: true });
          expect(stack.state).toEqual({ resources: [], pending: [] });
        } finally {
          stack.remove();
        }
      }),
      // The same graphs in every run of CI; others by FAST_CHECK_SEED, more by FAST_CHECK_TIMES.
      {
        seed: Number(process.env.FAST_CHECK_SEED ?? 20261123),
        numRuns: 40 * Number(process.env.FAST_CHECK_TIMES ?? 1),
      },
    );
  }, 1_200_000);
});

const unhindered = {
  broken: [],
  continueOnError: false,
  fails: false,
  destroy: false,
  replace: [],
  parallel: 4,
  cancelAfter: undefined,
};

/** Every command that began has ended or was broken, and none of a resource ran beside another. */
function checkLog(lines: Said[], { broken }: Edit, ok: boolean): void {
  const begun = new Set<string>();
  const failed: string[] = [];
  for (const [moment, verb, name] of lines) {
    const what = `${verb} ${name}`;
    if (moment === "begin") {
      if (broken.includes(what)) failed.push(what);
      else begun.add(what);
    } else {
      expect(begun.delete(what), what).toBe(true);
    }
  }
  expect([...begun]).toEqual([]);
  if (failed.length > 0) expect(ok).toBe(false);
  const began = lines.filter(([moment]) => moment === "begin").map(([, v, n]) => `${v} ${n}`);
  const again = began.filter((what, i) => began.indexOf(what) !== i);
  // Two halves of one resource may both wait for their delete; nothing else is done twice.
  expect(again.filter((what) => !what.startsWith("delete"))).toEqual([]);
}

/** The state has what the commands did, and of the rest what it had before. */
function checkState(stack: Direct, before: ReturnType<Direct["resources"]>, lines: Said[]): void {
  expect(stack.state.pending).toEqual([]);
  const now = stack.resources();
  const made = printedBy(lines);
  for (const [name, printed] of made) expect(now[name]?.outputs?.stdout, name).toBe(printed);
  for (const [name, resource] of Object.entries(now)) {
    const own = name.replace(" (old)", "");
    // The old half of a replaced resource is what stood before, or was an old half already.
    const known = [before[own], before[`${own} (old)`]].map((was) => was?.outputs?.stdout);
    if (!made.has(own)) expect(known, name).toContain(resource.outputs?.stdout);
  }
}
