import fc from "fast-check";
import { logged, type GraphNode } from "./graph";

/** A program and how it fares. */
export interface Edit {
  nodes: GraphNode[];
  /** `<verb> <name>` */
  broken: string[];
  fails: boolean;
  continueOnError: boolean;
}

const NAMES = ["a", "b", "c", "d", "e"];

/** A program over some of the names, in which everything refers to earlier ones only. */
const program: fc.Arbitrary<GraphNode[]> = fc
  .subarray(NAMES, { minLength: 1 })
  .chain((names) => fc.tuple(...names.map((name, i) => node(name, names.slice(0, i)))))
  .map((nodes) => {
    // Stdout comes of Commands only, and only components have children here.
    const components = new Set(nodes.filter(({ component }) => component).map(({ name }) => name));
    const parentOf = new Map(
      nodes.map(({ name, parent }) => [
        name,
        parent && components.has(parent) ? parent : undefined,
      ]),
    );
    const isWithin = (name: string | undefined, ancestor: string): boolean =>
      !!name && (name === ancestor || isWithin(parentOf.get(name), ancestor));
    return nodes.map((each, i) => {
      const parent = parentOf.get(each.name);
      // Who waits for a component waits for its children, so none of them may wait in turn.
      const dependsOn = each.dependsOn?.filter(
        (need) => !components.has(need) || !nodes.slice(i).some(({ name }) => isWithin(name, need)),
      );
      const source = (each.inputs?.stdin as { $stdout: string } | undefined)?.$stdout;
      const stdin = source && !components.has(source) ? { stdin: each.inputs?.stdin } : {};
      const deletedWith =
        each.deletedWith && !components.has(each.deletedWith) ? each.deletedWith : undefined;
      const more = { parent, dependsOn };
      if (each.component) {
        return {
          ...each,
          ...more,
          inputs: { size: (each.inputs?.environment as { V: string }).V },
        };
      }
      const { stdin: _, ...inputs } = each.inputs ?? {};
      return { ...each, ...more, deletedWith, inputs: { ...inputs, ...stdin } };
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
    }));
}

/** Programs one after the other. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(
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
      nodes: continueOnError
        ? nodes.map((each) => (each.component ? withoutDependsOn(each) : each))
        : breaks
          ? inOrder(nodes)
          : nodes,
      fails,
      continueOnError,
      broken: breaks ? broken.filter((what) => mayBreak(what, continueOnError)) : [],
    })),
  { minLength: 3, maxLength: 5 },
);

/** The CLI ends with an internal error on a component that it skips (seen with 3.248.0). */
function withoutDependsOn({ dependsOn: _, ...component }: GraphNode): GraphNode {
  return component;
}

function mayBreak(what: string, continueOnError: boolean): boolean {
  // Otherwise the order of deletes, which is free, would decide what is left.
  return !what.startsWith("delete") || continueOnError;
}

/** Where the first failure is the end, a free order would decide how far it comes. */
function inOrder(nodes: GraphNode[]): GraphNode[] {
  const commands = nodes.filter(({ component }) => !component);
  const names = commands.map(({ name }) => name);
  return commands.map(({ parent: _, ...each }, i) => ({ ...each, dependsOn: names.slice(0, i) }));
}
