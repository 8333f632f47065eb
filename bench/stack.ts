import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { declaredRuns, describeStack, openToDeploy } from "../cli/session";
import { Unfit } from "../cli/errors";
import { executorOf } from "../infra/targets";
import { checkout, stackFolder } from "../infra/host/folders";
import { nextFreeOffset } from "../infra/host/freePorts";
import { listeners } from "../infra/targets/local/place";
import { portsOfNeighbours } from "../infra/targets/local/checks";
import { UserError } from "../infra/contracts/errors";
import { jobSpec, whyNot, type RunSpec } from "../pipelines/steps/run";
import { oracleName } from "../pipelines/places";
import type { Comparison, Plan } from "./harness";
import type { Table } from "./render";

export interface Options {
  /** Trips: a table each. */
  readonly rows: readonly number[];
  /** Photographs: a table each. */
  readonly photos: readonly number[];
  /** How many samples are taken, where it is not the benchmark's usual number. */
  readonly plan: Plan;
  /** `key=value` for the stacks. */
  readonly config: readonly string[];
}

export interface Bench extends Options {
  readonly stack: BenchStack;
  /** Aborted: the user wants no more. */
  readonly stop: AbortSignal;
  /** Deploys the stack with the data of these workloads, unless it has them. */
  deployed(settings?: Record<string, string | number>): Promise<void>;
  /** Has a comparison's contenders take their samples. */
  measured(comparison: Comparison): Promise<Table>;
  /** Tells why something is left out; it goes into the table's notes. */
  note(text: string): void;
}

/** One name of `--only`. */
export interface Benchmark {
  readonly name: string;
  readonly what: string;
  /** Whether it runs only when it is asked for. */
  readonly onlyAsked?: boolean;
  run(bench: Bench): Promise<Table[]>;
}

/** What the benchmark's stack has, whatever it measures; `--config` may say otherwise. */
const usual = { target: "local", gpu: "off", engines: "polars,plain", warmup: 0, repeats: 1 };

/** The benchmark's own stack, deployed and destroyed by the commands that a user would type. */
export class BenchStack {
  private ports: Record<string, number> | undefined;

  constructor(
    readonly name: string,
    private readonly config: readonly string[],
    private readonly stop: AbortSignal,
    private readonly runner: "embedded" | "pulumi" = "embedded",
  ) {}

  /** @throws Unfit where such a stack exists: it is not ours to remove */
  async mustBeNew(): Promise<void> {
    const folder = stackFolder(this.name);
    if (!(await describeStack(this.name)) && !fs.existsSync(folder)) return;
    throw new Unfit(
      `stack ${this.name} exists already, in ${folder}`,
      "the benchmark makes and removes this stack; another benchmark may be running",
      `if an earlier benchmark was killed, run npm run destroy -- --stack ${this.name} and remove that folder`,
    );
  }

  /** Deploys with what is `wanted` besides the usual; again, converges to it. */
  async start(wanted: Record<string, string | number>): Promise<void> {
    this.ports ??= { portOffset: await freeOffset(this.name) };
    const settings = Object.entries({ ...usual, ...this.ports, ...wanted });
    const assignments = [...settings.map(([key, value]) => `${key}=${value}`), ...this.config];
    const options = assignments.flatMap((assignment) => ["--config", assignment]);
    await this.run("start", "--runner", this.runner, ...options);
  }

  /** Ends the services, removes the data, and what is left of the stack's folder. */
  async destroy(): Promise<void> {
    if (await describeStack(this.name)) await this.run("destroy");
    fs.rmSync(stackFolder(this.name), { recursive: true, force: true });
  }

  /** Makes another stack for `work`, and destroys it. @throws Unfit where such a stack exists */
  async beside<T>(
    suffix: string,
    work: (stack: BenchStack) => Promise<T>,
    runner = this.runner,
  ): Promise<T> {
    const stack = new BenchStack(`${this.name}-${suffix}`, this.config, this.stop, runner);
    await stack.mustBeNew();
    try {
      return await work(stack);
    } finally {
      await stack.destroy();
    }
  }

  /**
   * What the jobs of a workload would get from `npm start`, by engine: secrets included.
   *
   * @param leaveOut told of each contender that cannot do it, and why
   */
  async jobs(
    workload: string,
    leaveOut: (engine: string, why: string) => void,
  ): Promise<Map<string, Record<string, unknown>>> {
    const config = ["engines=", "matrix=full", ...this.config];
    const everyEngine = { config, runner: this.runner };
    const declared = await declaredRuns(await openToDeploy(this.name, everyEngine, false));
    const jobs = new Map<string, Record<string, unknown>>();
    const oracle = declared.get(oracleName(workload))!.inputs;
    for (const [name, { spec, inputs }] of declared) {
      if (!name.endsWith(`/${workload}`)) continue;
      const run = spec as RunSpec;
      const reason = whyNot(this.name, run);
      if (reason !== undefined) {
        leaveOut(run.engine, reason);
        continue;
      }
      const connection = await (await executorOf(this.name)).connection(run.cluster);
      jobs.set(run.engine, { ...connection, ...jobSpec(this.name, run, inputs, oracle, "bench") });
    }
    return jobs;
  }

  private async run(verb: string, ...args: string[]): Promise<void> {
    const argv = ["cli/main.mjs", verb, "--stack", this.name, ...args];
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(process.execPath, argv, { cwd: checkout, stdio: ["ignore", 2, 2] });
      child.once("error", reject).once("exit", resolve);
      if (verb !== "start") return;
      const interrupt = () => child.kill("SIGINT");
      if (this.stop.aborted) interrupt();
      else this.stop.addEventListener("abort", interrupt);
      child.once("exit", () => this.stop.removeEventListener("abort", interrupt));
    });
    if (code === 0) return;
    throw new UserError(
      `npm run ${verb} -- --stack ${this.name} ended with ${code}`,
      "the benchmark measures on this stack",
      "see the lines above",
    );
  }
}

export async function freeOffset(stack: string): Promise<number> {
  const portsAt = (offset: number) => listeners(offset, 2).map(({ port }) => port);
  const free = await nextFreeOffset(14_900, portsAt, await portsOfNeighbours(stack));
  if (free !== undefined) return free;
  throw new UserError(
    "no portOffset is free",
    "the benchmark's stack needs free ports",
    "destroy another stack",
  );
}
