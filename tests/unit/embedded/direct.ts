import { Result } from "@pulumi/pulumi/proto/resource_pb";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { commandType } from "../../../embedded/command";
import { Engine } from "../../../embedded/engine";
import type { State } from "../../../embedded/state";
import { verifyResources } from "../../../embedded/verify";
import type { Goal, Outcome, Resource, StepEvent } from "../../../embedded/types";
import { nameOf, stackType } from "../../../embedded/urn";
import {
  isObject,
  secret,
  unknownValue,
  type Properties,
  type Value,
} from "../../../embedded/values";
import type { GraphNode } from "./graph";

export interface DirectOptions {
  /** The program throws after it has registered everything. */
  readonly fails?: boolean;
  readonly continueOnError?: boolean;
  readonly preview?: boolean;
  readonly parallel?: number;
  readonly destroy?: boolean;
  readonly replaceUrns?: string[];
  readonly signal?: AbortSignal;
}

/**
 * A stack whose program is a list of {@link GraphNode}s, registered as the SDK would but without a
 * process or a wire in between, so that many ups take little time.
 */
export class Direct {
  readonly dir = fs.mkdtempSync(path.join(tmpdir(), "direct-"));
  readonly events: StepEvent[] = [];
  state: State = { resources: [], pending: [] };
  /** Of each node that was registered, how that ended. */
  results = new Map<string, Result>();

  async up(nodes: GraphNode[], more: DirectOptions = {}): Promise<Outcome> {
    this.events.length = 0;
    this.results = new Map();
    const engine = new Engine(
      {
        projectDir: this.dir,
        project: "p",
        stack: "s",
        parallel: more.parallel ?? 8,
        preview: !!more.preview,
        continueOnError: !!more.continueOnError,
        stackFolder: this.dir,
        config: {},
        secretKeys: [],
        passphrase: "",
        ...(more.replaceUrns && { replaceUrns: more.replaceUrns }),
        onEvent: (event) => void this.events.push(event),
      },
      structuredClone(this.state),
      (state) => {
        verifyResources(state.resources);
        this.state = structuredClone(state);
      },
    );
    more.signal?.addEventListener("abort", () => engine.fail("canceled"));
    let failed = !!more.fails;
    if (!more.destroy) {
      failed = !(await this.program(engine, nodes)) || failed;
    }
    if (!failed && !engine.stopping.aborted) {
      await engine.deleteRest();
    }
    const ok = () => !failed && !engine.errors.length;
    const outputs = await engine.finish(!ok());
    return {
      ok: ok(),
      changes: engine.changes,
      errors: engine.errors,
      outputs,
    };
  }

  private async program(engine: Engine, nodes: GraphNode[]): Promise<boolean> {
    const stack = await engine.register(goal({ type: stackType, name: "p-s", custom: false }));
    const made = new Map<string, Promise<Resource>>();
    const settled = await Promise.allSettled(
      nodes.map((node) => {
        const resource = this.register(engine, node, nodes, made, stack.resource.urn);
        made.set(node.name, resource);
        return resource;
      }),
    );
    engine.registerOutputs(stack.resource.urn, { count: nodes.length });
    return settled.every(({ status }) => status === "fulfilled");
  }

  private async register(
    engine: Engine,
    node: GraphNode,
    nodes: GraphNode[],
    made: Map<string, Promise<Resource>>,
    stackUrn: string,
  ): Promise<Resource> {
    const used = new Set<string>();
    const urns = async (names: Iterable<string>) =>
      Promise.all([...new Set(names)].map(async (name) => (await made.get(name))?.urn ?? ""));
    const inputs: Properties = {};
    const propertyDependencies: Record<string, string[]> = {};
    for (const [name, value] of Object.entries(node.inputs ?? {})) {
      const direct = new Set<string>();
      inputs[name] = await resolve(value, made, direct);
      propertyDependencies[name] = await urns(direct);
      direct.forEach((source) => used.add(source));
    }
    // To depend on a component is to depend on the children that stand before, as in the SDK.
    const children = (name: string): string[] => [
      name,
      ...nodes
        .filter((child) => child.parent === name && made.has(child.name) && child !== node)
        .flatMap((child) => children(child.name)),
    ];
    const dependsOn = (node.dependsOn ?? []).flatMap(children);
    const { resource, result } = await engine.register(
      goal({
        type: node.component ? "t:index:Group" : commandType,
        name: node.name,
        custom: !node.component,
        inputs,
        parent: node.parent ? (await urns([node.parent]))[0] : stackUrn,
        dependencies: await urns([...dependsOn, ...used]),
        propertyDependencies,
        deletedWith: node.deletedWith ? (await urns([node.deletedWith]))[0] : "",
        replaceOnChanges: node.component ? [] : ["triggers[*]"],
        ...(node.options as Partial<Goal>),
      }),
    );
    this.results.set(node.name, result);
    if (node.component) {
      engine.registerOutputs(resource.urn, { seen: node.name });
    }
    return resource;
  }

  /** What the commands have logged since the last call, e.g. `create a`. */
  log(): string[] {
    const file = path.join(this.dir, "log");
    const lines = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n") : [];
    fs.rmSync(file, { force: true });
    return lines.filter(Boolean);
  }

  /** Makes only these fail, such as `create a`. */
  break(...what: string[]): this {
    for (const file of fs.readdirSync(this.dir).filter((name) => name.startsWith("broken-"))) {
      fs.rmSync(path.join(this.dir, file));
    }
    what.forEach((each) => {
      fs.writeFileSync(path.join(this.dir, `broken-${each.replace(" ", "-")}`), "");
    });
    return this;
  }

  /** Resources of the state by name, without the stack and the provider. */
  resources(): Record<string, Resource> {
    const own = this.state.resources.filter(({ type }) => !type.startsWith("pulumi:"));
    return Object.fromEntries(
      own.map((resource) => [nameOf(resource.urn) + (resource.delete ? " (old)" : ""), resource]),
    );
  }

  remove(): void {
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

async function resolve(
  value: unknown,
  made: Map<string, Promise<Resource>>,
  used: Set<string>,
): Promise<Value> {
  if (Array.isArray(value)) {
    return Promise.all(value.map((item) => resolve(item, made, used)));
  }
  if (!isObject(value)) {
    return value as Value;
  }
  if ("$secret" in value) {
    return secret(await resolve(value.$secret, made, used));
  }
  if ("$stdout" in value) {
    used.add(value.$stdout as string);
    return (await made.get(value.$stdout as string))?.outputs?.stdout ?? unknownValue;
  }
  const entries = Object.entries(value).map(
    async ([key, item]) => [key, await resolve(item, made, used)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

function goal(given: Pick<Goal, "type" | "name" | "custom"> & Partial<Goal>): Goal {
  return {
    inputs: {},
    parent: "",
    dependencies: [],
    propertyDependencies: {},
    replaceOnChanges: [],
    deletedWith: "",
    ...given,
  };
}
