import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { parse, stringify } from "yaml";
import { TestStack } from "../e2e/stack";

const commands: Readonly<Record<string, readonly string[]>> = {
  preview: ["preview"],
  outputs: ["stack", "output"],
  destroy: ["destroy", "--yes", "--skip-preview"],
};

/** A stack of somebody who types `pulumi up`, with a backend of their own, and never `npm start`. */
export class OwnCliStack extends TestStack {
  private initialised = false;

  constructor(portOffset: number, environment: Readonly<Record<string, string>> = {}) {
    super("pulumi", portOffset, environment);
  }

  protected override env(): NodeJS.ProcessEnv {
    return {
      ...super.env(),
      PULUMI_BACKEND_URL: `file://${this.home}/backend?metadata=skip`,
      PULUMI_CONFIG_PASSPHRASE: "of their own",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
  }

  override beginStart(config: Record<string, string | number> = {}) {
    this.init();
    const set = Object.entries(config).flatMap(([key, value]) => [
      "--config",
      `${/^(engines|workloads)$/.test(key) ? `${key}[0]` : key}=${value}`,
    ]);
    const up = ["up", "--yes", "--skip-preview", "--continue-on-error", "--config-path", ...set];
    return this.pulumi(...up);
  }

  /** By `pulumi`, where it has a command for that. */
  override begin(verb: string, ...args: string[]) {
    const command = commands[verb];
    return command ? this.pulumi(...command, ...args) : super.begin(verb, ...args);
  }

  /** As docs/pulumi-cli.md says: `pulumi cancel` takes away the lock. */
  override async recover(): Promise<void> {
    if (this.initialised) await this.pulumi("cancel", "--yes").finished;
  }

  /** The checkout's project, in a folder of its own: the CLI writes beside Pulumi.yaml. */
  private get project(): string {
    return path.join(this.home, "project");
  }

  private pulumi(...args: string[]) {
    return this.spawn("pulumi", [...args, "--stack", this.name, "--non-interactive"], this.project);
  }

  private init(): void {
    if (this.initialised) return;
    for (const folder of [this.project, path.join(this.home, "backend")]) fs.mkdirSync(folder);
    const text = fs.readFileSync(path.join(this.checkout, "Pulumi.yaml"), "utf8");
    const file = { ...(parse(text) as object), main: this.checkout };
    fs.writeFileSync(path.join(this.project, "Pulumi.yaml"), stringify(file));
    const options = { cwd: this.project, env: this.env(), encoding: "utf8" } as const;
    const { status, stderr } = spawnSync("pulumi", ["stack", "init", this.name], options);
    if (status !== 0) throw new Error(stderr);
    this.initialised = true;
  }
}
