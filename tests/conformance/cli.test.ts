import * as fs from "node:fs";
import * as path from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Passphrase } from "../../cli/embedded/secrets";
import { decryptState } from "../../cli/embedded/state";
import * as embedded from "../../cli/embedded";
import { isSecret, SECRET, SIGNATURE, type Value } from "../../cli/embedded/values";
import { logged, Project, type GraphNode } from "../unit/embedded/graph";
import { normalise } from "./normalise";
import { hasPulumi, PulumiStack } from "./pulumiCli";

/** Sequences to try; each step of one takes about 6 seconds. */
const RUNS = Number(process.env.CONFORMANCE_RUNS ?? 4);
const SEED = process.env.CONFORMANCE_SEED;
const PASSPHRASE = "open sesame";

interface Edit {
  nodes: GraphNode[];
  /** `<verb> <name>` */
  broken: string[];
  fails: boolean;
  continueOnError: boolean;
}

/** The same program, run by both. */
class Pair {
  readonly ours = new Project();
  readonly realDir = path.join(this.ours.root, "real");
  readonly real: PulumiStack;

  constructor() {
    fs.cpSync(this.ours.dir, this.realDir, { recursive: true });
    this.real = new PulumiStack(this.realDir, path.join(this.ours.root, "backend"), PASSPHRASE);
  }

  async apply(edit: Edit): Promise<void> {
    this.ours.write(edit.nodes, edit.fails);
    fs.copyFileSync(path.join(this.ours.dir, "graph.json"), path.join(this.realDir, "graph.json"));
    for (const dir of [this.ours.dir, this.realDir]) {
      for (const file of fs.readdirSync(dir).filter((name) => name.startsWith("broken-"))) {
        fs.rmSync(path.join(dir, file));
      }
      edit.broken.forEach((what) =>
        fs.writeFileSync(path.join(dir, `broken-${what.replace(" ", "-")}`), ""),
      );
    }
    const more = edit.continueOnError ? ["--continue-on-error"] : [];
    const args = ["--yes", "--skip-preview", "--stack", "test", "--parallel", "1", ...more];
    await this.check(
      this.real.run("up", ...args),
      await this.ours.up({ parallel: 1, continueOnError: edit.continueOnError }),
    );
  }

  async destroy(): Promise<void> {
    await this.check(
      this.real.run("destroy", "--yes", "--skip-preview", "--stack", "test"),
      await this.ours.destroy(),
    );
  }

  private async check(real: { ok: boolean; text: string }, ours: embedded.Outcome): Promise<void> {
    const told = `real: ${real.text}\nours: ${JSON.stringify(ours, undefined, 1)}`;
    expect(this.ours.log().sort(), told).toEqual(this.realLog().sort());
    expect(ours.ok, told).toBe(real.ok);
    expect(normalise(await this.stored()), told).toEqual(normalise(this.real.export()));
  }

  /** The stored state with its secrets laid open, as `pulumi stack export --show-secrets` has it. */
  private async stored(): Promise<unknown> {
    const stored = embedded.exportState(this.ours.stackFolder);
    const salt = stored?.deployment.secrets_providers?.state.salt ?? "";
    const { resources } = decryptState(stored, await Passphrase.open(PASSPHRASE, salt));
    const text = JSON.stringify(resources, (_, value: Value) =>
      isSecret(value) ? { [SIGNATURE]: SECRET, plaintext: JSON.stringify(value.value) } : value,
    );
    return { deployment: { resources: JSON.parse(text) as unknown[] } };
  }

  private realLog(): string[] {
    const file = path.join(this.realDir, "log");
    const text = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
    fs.rmSync(file, { force: true });
    return text.split("\n").filter(Boolean);
  }
}

const NAMES = ["a", "b", "c", "d", "e"];

/** A program over some of the names, in which everything refers to earlier ones only. */
const program: fc.Arbitrary<GraphNode[]> = fc
  .subarray(NAMES, { minLength: 1 })
  .chain((names) => fc.tuple(...names.map((name, i) => node(name, names.slice(0, i)))))
  .map((nodes) => {
    // Stdout comes of Commands only, and only components have children here.
    const components = new Set(nodes.filter(({ component }) => component).map(({ name }) => name));
    return nodes.map((each) => {
      const parent = each.parent && components.has(each.parent) ? each.parent : undefined;
      const source = (each.inputs?.stdin as { $stdout: string } | undefined)?.$stdout;
      const stdin = source && !components.has(source) ? { stdin: each.inputs?.stdin } : {};
      const deletedWith =
        each.deletedWith && !components.has(each.deletedWith) ? each.deletedWith : undefined;
      if (each.component) {
        return { ...each, parent, inputs: { size: (each.inputs?.environment as { V: string }).V } };
      }
      const { stdin: _, ...inputs } = each.inputs ?? {};
      return { ...each, parent, deletedWith, inputs: { ...inputs, ...stdin } };
    });
  });

function node(name: string, earlier: string[]): fc.Arbitrary<GraphNode> {
  const some = earlier.length ? fc.constantFrom(...earlier) : fc.constant(undefined);
  const rarely = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
  return fc
    .record({
      component: fc.nat(4).map((n) => n === 0),
      parent: rarely(some),
      dependsOn: fc.subarray(earlier, { maxLength: Math.min(2, earlier.length) }),
      deletedWith: rarely(some),
      updates: fc.boolean(),
      deletes: fc.nat(3).map((n) => n > 0),
      value: fc.constantFrom("1", "2"),
      secret: fc.boolean(),
      trigger: rarely(fc.constantFrom("x", "y")),
      triggerOn: rarely(some),
      stdin: rarely(some),
      deleteBeforeReplace: rarely(fc.boolean()),
      secretOutput: fc.boolean(),
    })
    .map((drawn) => ({
      name,
      ...(drawn.component
        ? { component: true }
        : drawn.deletedWith && { deletedWith: drawn.deletedWith }),
      ...(drawn.parent && { parent: drawn.parent }),
      ...(drawn.dependsOn.length && { dependsOn: drawn.dependsOn }),
      inputs: {
        ...logged(name, [
          "create",
          ...(drawn.updates ? ["update"] : []),
          ...(drawn.deletes ? ["delete"] : []),
        ]),
        environment: { V: drawn.value, ...(drawn.secret && { S: { $secret: "hidden" } }) },
        ...(drawn.trigger && { triggers: [{ when: drawn.trigger, list: [1, null] }] }),
        ...(drawn.stdin && { stdin: { $stdout: drawn.stdin } }),
      },
      options: {
        ...(!drawn.component && {
          ...(drawn.deleteBeforeReplace !== undefined && {
            deleteBeforeReplace: drawn.deleteBeforeReplace,
          }),
          ...(drawn.secretOutput && { additionalSecretOutputs: ["stderr"] }),
        }),
      },
    }));
}

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc
    .record({
      nodes: program,
      broken: fc.subarray(
        NAMES.flatMap((name) => ["create", "update", "delete"].map((v) => `${v} ${name}`)),
      ),
      breaks: fc.nat(2).map((n) => n === 0),
      fails: fc.nat(7).map((n) => n === 0),
      continueOnError: fc.boolean(),
    })
    .map(({ nodes, broken, breaks, fails, continueOnError }) => ({
      nodes,
      fails,
      continueOnError,
      broken: breaks ? broken.filter((what) => mayBreak(what, continueOnError, nodes)) : [],
    })),
  { minLength: 3, maxLength: 5 },
);

function mayBreak(what: string, continueOnError: boolean, nodes: GraphNode[]): boolean {
  // Without continueOnError the order of deletes, which is free, would decide what is left; with it
  // the CLI hangs for ever when a delete before a replace fails (seen with 3.248.0).
  const before = nodes.some(({ options }) => options?.deleteBeforeReplace);
  return !what.startsWith("delete") || (continueOnError && !before);
}

describe.skipIf(!hasPulumi)(
  "the embedded runner beside the Pulumi CLI (needs pulumi on PATH)",
  () => {
    const pairs: Pair[] = [];
    afterEach(() => pairs.splice(0).forEach((pair) => pair.ours.remove()));

    it("leaves the same state and runs the same commands, whatever is edited and whatever fails", async () => {
      await fc.assert(
        fc.asyncProperty(edits, async (sequence) => {
          const pair = new Pair();
          pairs.push(pair);
          for (const edit of sequence) {
            await pair.apply(edit);
          }
          await pair.destroy();
        }),
        { numRuns: RUNS, endOnFailure: true, ...(SEED && { seed: Number(SEED) }) },
      );
    }, 1_200_000);
  },
);
