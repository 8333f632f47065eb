import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as embedded from "../../../embedded";
import { Passphrase } from "../../../embedded/secrets";
import { decryptState } from "../../../embedded/state";
import { reveal, type Properties } from "../../../embedded/values";

/** One resource of the fixture program `graph`. */
export interface GraphNode {
  name: string;
  component?: boolean;
  parent?: string;
  dependsOn?: string[];
  deletedWith?: string;
  inputs?: Record<string, unknown>;
  options?: Record<string, unknown>;
}

/** A folder with a fixture program, a stack folder, and a log that its commands append to. */
export class Project {
  readonly root = fs.mkdtempSync(path.join(tmpdir(), "embedded-"));
  readonly dir = path.join(this.root, "project");
  readonly stackFolder = path.join(this.root, "stack");
  readonly events: embedded.StepEvent[] = [];

  constructor(
    fixture = "graph",
    private readonly project = fixture,
  ) {
    const from = path.join(__dirname, "fixtures", fixture);
    fs.cpSync(from, this.dir, { recursive: true });
    fs.symlinkSync(path.resolve("node_modules"), path.join(this.dir, "node_modules"));
  }

  /** The next program. */
  write(nodes: GraphNode[], fails = false): this {
    fs.writeFileSync(path.join(this.dir, "graph.json"), JSON.stringify({ nodes, fails }));
    return this;
  }

  options(more: Partial<embedded.EmbeddedOptions> = {}): embedded.EmbeddedOptions {
    return {
      projectDir: this.dir,
      project: this.project,
      stack: "test",
      stackFolder: this.stackFolder,
      config: {},
      secretKeys: [],
      passphrase: "open sesame",
      onEvent: (event) => this.events.push(event),
      ...more,
    };
  }

  async up(more: Partial<embedded.EmbeddedOptions> = {}): Promise<embedded.Outcome> {
    this.events.length = 0;
    return embedded.up(this.options(more));
  }

  async preview(more: Partial<embedded.EmbeddedOptions> = {}): Promise<embedded.Outcome> {
    this.events.length = 0;
    return embedded.preview(this.options(more));
  }

  async destroy(more: Partial<embedded.EmbeddedOptions> = {}): Promise<embedded.Outcome> {
    this.events.length = 0;
    return embedded.destroy(this.options(more));
  }

  /** What the commands have logged since the last call, e.g. `create a`. */
  log(): string[] {
    const file = path.join(this.dir, "log");
    const lines = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : [];
    fs.rmSync(file, { force: true });
    return lines.filter(Boolean);
  }

  /** Makes a verb of a {@link logged} command fail from now on, or no longer. */
  break(name: string, verb: string, broken = true): void {
    const file = path.join(this.dir, `broken-${verb}-${name}`);
    if (broken) {
      fs.writeFileSync(file, "");
    } else {
      fs.rmSync(file, { force: true });
    }
  }

  /** Resources of the state by name (those without a name of their own left out), as stored. */
  state(): Record<string, Record<string, unknown>> {
    const resources = embedded.exportState(this.stackFolder)?.deployment.resources ?? [];
    return Object.fromEntries(
      resources.map((resource) => [
        resource.urn.split("::").at(-1) + (resource.delete ? " (old)" : ""),
        resource as unknown as Record<string, unknown>,
      ]),
    );
  }

  /** The outputs of the stack with its secrets in clear. */
  async secretOutputs(): Promise<Properties> {
    const stored = embedded.exportState(this.stackFolder);
    const salt = stored?.deployment.secrets_providers?.state.salt ?? "";
    const { resources } = decryptState(stored, await Passphrase.open("open sesame", salt));
    return reveal(resources[0].outputs ?? {}) as Properties;
  }

  logs(severity: string): string[] {
    return this.events.flatMap((event) =>
      event.kind === "log" && event.severity === severity ? [event.message] : [],
    );
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

/** Inputs of a command that logs each verb, can be broken, and prints `<name> <verb>`. */
export function logged(name: string, verbs = ["create", "delete"]): Record<string, string> {
  return Object.fromEntries(
    verbs.map((verb) => [
      verb,
      `echo '${verb} ${name}' >> log; test ! -e 'broken-${verb}-${name}' && echo '${name} ${verb}'`,
    ]),
  );
}
