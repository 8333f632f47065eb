import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parseArguments } from "../../cli/arguments";
import type { StepEvent } from "../../cli/runners/runner";
import { openToDeploy } from "../../cli/session";
import { start } from "../../cli/verbs/start";
import * as embedded from "../../embedded";
import { cacheFolder, stackFolder } from "../../infra/host/folders";
import { UserError } from "../../infra/contracts/errors";
import { bytes, number } from "../../report/format";
import { BenchStack, freeOffset } from "../stack";
import type { Table } from "../render";
import type { Bench, Benchmark } from "./benchmark";
import { longestChain, type Step } from "./chain";

export const setUp: Benchmark = {
  name: "set-up",
  what: "npm start at its default settings on empty caches, step by step; some 10 minutes",
  onlyAsked: true,
  async run(bench) {
    const before = process.env.ENGINE_COMPARISON_CACHE;
    const cache = fs.mkdtempSync(
      path.join(path.dirname(cacheFolder()), "engine-comparison-empty-"),
    );
    process.env.ENGINE_COMPARISON_CACHE = cache;
    const stack = new BenchStack(`${bench.stack.name}-set-up`, bench.config, bench.stop);
    try {
      await stack.mustBeNew();
      return [await setUpTable(stack.name, bench)];
    } finally {
      await stack.destroy();
      fs.rmSync(cache, { recursive: true, force: true });
      if (before === undefined) delete process.env.ENGINE_COMPARISON_CACHE;
      else process.env.ENGINE_COMPARISON_CACHE = before;
    }
  },
};

async function setUpTable(stack: string, { config, stop }: Bench): Promise<Table> {
  const settings = ["gpu=off", `portOffset=${await freeOffset(stack)}`, ...config];
  const options = settings.flatMap((one) => ["--config", one]);
  const argv = ["--stack", stack, "--runner", "embedded", ...options];
  const { runner } = await openToDeploy(parseArguments(start.syntax, argv)!);
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
    throw new UserError(
      outcome.errors.join("\n"),
      "the set-up did not come to its end",
      "see above",
    );
  }
  const downloaded = bytesReceived() - received;
  const resources = embedded.exportState(stackFolder(stack))?.deployment.resources ?? [];
  const steps: Step[] = resources.flatMap(({ urn, dependencies = [] }) => {
    const span = spans.get(urn);
    const name = urn.split("::").at(-1)!;
    // Runs wait for their turn, and what comes after them is no set-up.
    const isSetUp = span && !name.includes("/") && name !== "report-page";
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
      `All but the runs stood after ${number(took)} s; the longest chain of steps that need each other takes ` +
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
