import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { StepEvent } from "../../cli/runners/runner";
import { openToDeploy } from "../../cli/session";
import * as embedded from "../../embedded";
import { cacheFolder, stackFolder } from "../../infra/host/folders";
import { UserError } from "../../infra/contracts/errors";
import { bytes, number } from "../../report/format";
import { freeOffset, type Bench, type Benchmark } from "../stack";
import type { Table } from "../render";

export const setUp: Benchmark = {
  name: "set-up",
  what: "npm start at its default settings on empty caches, step by step; some 10 minutes",
  onlyAsked: true,
  async run(bench) {
    const before = process.env.ENGINE_COMPARISON_CACHE;
    const beside = path.join(path.dirname(cacheFolder()), "engine-comparison-empty-");
    const cache = fs.mkdtempSync(beside);
    process.env.ENGINE_COMPARISON_CACHE = cache;
    try {
      return [await bench.stack.beside("set-up", ({ name }) => setUpTable(name, bench))];
    } finally {
      fs.rmSync(cache, { recursive: true, force: true });
      if (before === undefined) delete process.env.ENGINE_COMPARISON_CACHE;
      else process.env.ENGINE_COMPARISON_CACHE = before;
    }
  },
};

async function setUpTable(stack: string, { config, stop }: Bench): Promise<Table> {
  const settings = ["gpu=off", `portOffset=${await freeOffset(stack)}`, ...config];
  const { runner, runs } = await openToDeploy(stack, { runner: "embedded", config: settings });
  const [begun, received] = [Date.now(), bytesReceived()];
  const spans = new Map<string, { start: number; end: number }>();
  const onEvent = (event: StepEvent) => {
    if (!("name" in event) || event.type !== "command:local:Command") return;
    const at = (Date.now() - begun) / 1000;
    const span = spans.get(event.urn) ?? { start: at, end: at };
    spans.set(event.urn, { ...span, end: at });
  };
  const outcome = await runner.up({ onEvent, stop, kill: stop });
  if (!outcome.ok) {
    throw new UserError(outcome.errors.join("\n"), "the set-up was not completed", "see above");
  }
  const downloaded = bytesReceived() - received;
  const resources = embedded.exportState(stackFolder(stack))?.deployment.resources ?? [];
  const steps: Step[] = resources.flatMap(({ urn, dependencies = [] }) => {
    const span = spans.get(urn);
    const name = urn.split("::").at(-1)!;
    // Runs wait for their turn, and what comes after them is no set-up.
    const isSetUp = span && !runs.includes(name) && name !== "report-page";
    return isSetUp ? [{ urn, name, needs: dependencies, ...span }] : [];
  });
  return asTable(steps, downloaded);
}

function asTable(steps: readonly Step[], downloaded: number): Table {
  const chain = longestChain(steps);
  const took = Math.max(...steps.map(({ end }) => end));
  const seconds = (some: readonly Step[]) =>
    some.reduce((sum, one) => sum + one.end - one.start, 0);
  const inOrder = [...steps].sort((a, b) => a.start - b.start || a.end - b.end);
  return {
    title: "set-up",
    rows: [
      ["step", "begins", "ends", "seconds", "on the longest chain"],
      ...inOrder.map((step) => [
        step.name,
        number(step.start),
        number(step.end),
        number(step.end - step.start),
        chain.includes(step) ? "yes" : "",
      ]),
    ],
    legend:
      `All but the runs was ready after ${number(took)} s; the longest chain of steps that need each other takes ` +
      `${number(seconds(chain))} s, all steps one after the other ${number(seconds(steps))} s. ` +
      `This machine received ${bytes(downloaded)} meanwhile.`,
    host: {
      system: `${os.type()} ${os.release()}`,
      cpu: os.cpus()[0]?.model ?? "unknown",
      cores: os.cpus().length,
      memoryBytes: os.totalmem(),
    },
    versions: { node: process.versions.node },
    data: { steps: inOrder, took, downloaded, chain: chain.map(({ name }) => name) },
  };
}

/** What all interfaces but the loopback have received since they are up; proc(5), net/dev. */
function bytesReceived(): number {
  if (!fs.existsSync("/proc/net/dev")) return 0;
  const lines = fs.readFileSync("/proc/net/dev", "utf8").split("\n").slice(2);
  const fields = lines.map((line) => line.trim().split(/[:\s]+/)).filter(([name]) => name);
  return fields.reduce((sum, [name, first]) => sum + (name === "lo" ? 0 : Number(first)), 0);
}

export interface Step {
  readonly urn: string;
  readonly name: string;
  /** URNs of what it waited for. */
  readonly needs: readonly string[];
  /** Seconds from the deployment's begin. */
  readonly start: number;
  readonly end: number;
}

/**
 * The steps that need each other and together took longest: with any number of cores the deployment
 * takes as long. In the order in which they ran.
 */
export function longestChain(steps: readonly Step[]): Step[] {
  const chains = new Map<string, Chain>();
  const longest = (some: Iterable<Chain>) =>
    [...some].sort((a, b) => b.seconds - a.seconds).at(0) ?? { seconds: 0, steps: [] };
  // What a step needs has ended before it.
  for (const step of [...steps].sort((a, b) => a.end - b.end)) {
    const before = longest(step.needs.flatMap((urn) => chains.get(urn) ?? []));
    const seconds = before.seconds + step.end - step.start;
    chains.set(step.urn, { seconds, steps: [...before.steps, step] });
  }
  return longest(chains.values()).steps;
}

interface Chain {
  readonly seconds: number;
  readonly steps: Step[];
}
