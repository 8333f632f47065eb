import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Direct } from "../unit/embedded/direct";
import { logged, type GraphNode } from "../unit/embedded/graph";

/** A Command of a random program; the others that it names come before it. */
interface Spec {
  name: string;
  verbs: string[];
  value: string;
  trigger?: string;
  stdin?: string;
  dependsOn: string[];
}

interface Edit {
  specs: Spec[];
  /** `<verb> <name>` */
  broken: string[];
}

/** What the model knows of a resource that stands. */
interface Standing {
  inputs: { verbs: string; value: string; stdin: string | undefined };
  trigger: string | undefined;
  deletes: boolean;
  stdout: string;
  needs: string[];
}

/**
 * What an up that goes on after errors has to do, told in the simplest way: one resource after the
 * other, then the deletes.
 */
class Model {
  readonly standing = new Map<string, Standing>();
  /** Replaced halves whose delete has failed. */
  old: [string, Standing][] = [];

  up({ specs, broken }: Edit): string[] {
    const log: string[] = [];
    const run = (verb: string, name: string) => {
      log.push(`${verb} ${name}`);
      return !broken.includes(`${verb} ${name}`);
    };
    const before = new Map(this.standing);
    const undone = new Set<string>();
    const unavailable = new Set<string>();
    for (const spec of specs) {
      const needs = [...spec.dependsOn, ...(spec.stdin ? [spec.stdin] : [])];
      if (needs.some((name) => unavailable.has(name))) {
        unavailable.add(spec.name);
        undone.add(spec.name);
        continue;
      }
      const was = this.standing.get(spec.name);
      const stdin = spec.stdin && this.standing.get(spec.stdin)?.stdout;
      const now: Standing = {
        inputs: { verbs: spec.verbs.join(), value: spec.value, stdin },
        trigger: spec.trigger,
        deletes: spec.verbs.includes("delete"),
        stdout: was?.stdout ?? "",
        needs,
      };
      const replace = was && was.trigger !== now.trigger;
      const same = was && !replace && JSON.stringify(was.inputs) === JSON.stringify(now.inputs);
      if (!same) {
        const verb = was && !replace && spec.verbs.includes("update") ? "update" : "create";
        if (!run(verb, spec.name)) {
          unavailable.add(spec.name);
          undone.add(spec.name);
          continue;
        }
        now.stdout = `${spec.name} ${verb}`;
      }
      if (replace) {
        this.old.push([spec.name, was]);
      }
      this.standing.set(spec.name, now);
    }
    this.deletes(specs, before, undone, run);
    return log;
  }

  private deletes(
    specs: Spec[],
    before: Map<string, Standing>,
    undone: Set<string>,
    run: (verb: string, name: string) => boolean,
  ): void {
    const names = new Set(specs.map(({ name }) => name));
    const gone = [...this.standing].filter(([name]) => !names.has(name));
    const condemned = new Map<string, { was: Standing; replaced: boolean }>([
      ...this.old.map(([name, was]) => [name, { was, replaced: true }] as const),
      ...gone.map(([name, was]) => [name, { was, replaced: false }] as const),
    ]);
    this.old = [];
    const kept = new Set<string>();
    const keep = (name: string) =>
      before.get(name)?.needs.forEach((need) => {
        kept.add(need);
        keep(need);
      });
    undone.forEach(keep);
    /** How many of the condemned stand on each other beneath this one. */
    const height = (name: string): number =>
      Math.max(
        0,
        ...(condemned.get(name)?.was.needs ?? [])
          .filter((need) => condemned.has(need))
          .map((need) => 1 + height(need)),
      );
    // Those of one height are deleted at the same time, the highest first.
    for (let level = condemned.size; level >= 0; level--) {
      const stuck: string[] = [];
      for (const [name, { was, replaced }] of condemned) {
        if (height(name) !== level) {
          continue;
        }
        const tried = !kept.has(name);
        if (tried && (!was.deletes || run("delete", name))) {
          if (!replaced) {
            this.standing.delete(name);
          }
        } else {
          if (tried) {
            stuck.push(name);
          }
          if (replaced) {
            this.old.push([name, was]);
          }
        }
      }
      stuck.forEach(keep);
    }
  }
}

const NAMES = ["a", "b", "c", "d", "e"];

function spec(name: string, earlier: string[]): fc.Arbitrary<Spec> {
  const some = earlier.length ? fc.constantFrom(...earlier) : fc.constant(undefined);
  return fc
    .record({
      updates: fc.boolean(),
      deletes: fc.boolean(),
      value: fc.constantFrom("1", "2"),
      trigger: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
      stdin: fc.option(some, { nil: undefined }),
      dependsOn: fc.subarray(earlier, { maxLength: Math.min(2, earlier.length) }),
    })
    .map(({ updates, deletes, value, trigger, stdin, dependsOn }) => ({
      name,
      verbs: ["create", ...(updates ? ["update"] : []), ...(deletes ? ["delete"] : [])],
      value,
      dependsOn,
      ...(trigger && { trigger }),
      ...(stdin && { stdin }),
    }));
}

const edit: fc.Arbitrary<Edit> = fc.record({
  specs: fc
    .subarray(NAMES)
    .chain((names) => fc.tuple(...names.map((name, i) => spec(name, names.slice(0, i))))),
  broken: fc.oneof(
    fc.constant<string[]>([]),
    fc.subarray(
      NAMES.flatMap((name) => ["create", "update", "delete"].map((verb) => `${verb} ${name}`)),
      { maxLength: 4 },
    ),
  ),
});

function nodeOf({ name, verbs, value, trigger, stdin, dependsOn }: Spec): GraphNode {
  return {
    name,
    dependsOn,
    inputs: {
      ...logged(name, verbs),
      environment: { V: value },
      ...(trigger && { triggers: [{ when: trigger }] }),
      ...(stdin && { stdin: { $stdout: stdin } }),
    },
  };
}

describe("the embedded runner", () => {
  it("runs what a simple model runs and leaves the same state, whatever is edited and fails", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 2, maxLength: 6 }), async (edits) => {
        const stack = new Direct();
        const model = new Model();
        let last: Edit = { specs: [], broken: [] };
        try {
          for (const each of [...edits, { specs: [], broken: [] }]) {
            if (model.old.length) {
              // Which of two halves something needs is Pulumi's to say; here they are cleared away.
              model.up({ ...last, broken: [] });
              await stack.break().up(last.specs.map(nodeOf));
              stack.log();
            }
            last = each;
            const expected = model.up(each);
            stack.break(...each.broken);
            const outcome = await stack.up(each.specs.map(nodeOf), { continueOnError: true });
            expect(stack.log().sort()).toEqual(expected.sort());
            expect(outcome.ok).toBe(!expected.some((line) => each.broken.includes(line)));
            const commands = Object.entries(stack.resources());
            expect(
              Object.fromEntries(
                commands.flatMap(([name, resource]) =>
                  resource.delete ? [] : [[name, resource.outputs?.stdout]],
                ),
              ),
            ).toEqual(Object.fromEntries([...model.standing].map(([n, r]) => [n, r.stdout])));
            const old = stack.state.resources.filter((resource) => resource.delete);
            expect(old).toHaveLength(model.old.length);
            expect(stack.state.pending).toEqual([]);
          }
        } finally {
          stack.remove();
        }
      }),
      // The same graphs in every run of CI; others by FAST_CHECK_SEED.
      {
        seed: Number(process.env.FAST_CHECK_SEED ?? 20261122),
        numRuns: 150 * Number(process.env.FAST_CHECK_TIMES ?? 1),
        interruptAfterTimeLimit: 20_000 * Number(process.env.FAST_CHECK_TIMES ?? 1),
      },
    );
  }, 1_200_000);
});
