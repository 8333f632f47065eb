import * as fs from "node:fs";
import { textTable } from "../cli/terminal/lines";
import { verb, type Values } from "../cli/verb";
import { WrongUse } from "../cli/errors";
import { UserError } from "../infra/contracts/errors";
import { codeVersion } from "../pipelines/inputs";
import { benchmarks } from "./benchmarks";
import { measure } from "./harness";
import { documentFile, tableOf, withSection, type Section } from "./render";
import { BenchStack, type Bench, type Benchmark, type Options } from "./stack";

const syntax = {
  only: {
    type: "string",
    value: "name[,name]",
    help: [
      "some of these, by default all but the last:",
      ...benchmarks.map(({ name, what }) => `  ${name.padEnd(18)} ${what}`),
    ].join("\n"),
  },
  rows: {
    type: "string",
    value: "n[,n]",
    default: "12000000",
    help: "trips; several sizes after commas",
  },
  photos: { type: "string", value: "n[,n]", default: "1000", help: "as --rows" },
  samples: {
    type: "string",
    value: "n",
    help: "fixes the hot samples of each driver process; default as the benchmark needs",
  },
  forks: {
    type: "string",
    value: "n",
    help: "driver processes of each contender; default 3 for engines, else 1",
  },
  json: { type: "boolean", help: "prints one JSON object with every sample" },
  config: {
    type: "string",
    multiple: true,
    value: "key=value",
    help: "sets a key of docs/configuration.md for the stack",
  },
} as const;

type Asked = Values<typeof syntax>;

export const bench = verb({
  summary: "measure the engines and the program side by side, on a stack made for it",
  options: syntax,
  stack: "bench",
  run: ({ stack, options }) => runBench(stack, options),
});

async function runBench(name: string, asked: Asked): Promise<number> {
  const chosen = chosenBenchmarks(asked.only);
  const options = optionsOf(asked);
  // By Ctrl-C what runs is ended, and the stack destroyed.
  const stopper = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stopper.abort());
  const stop = stopper.signal;
  const stack = new BenchStack(name, options.config, stop);
  await stack.mustBeNew();
  const sections: Section[] = [];
  const failures: string[] = [];
  const code = codeVersion(); // of before the tables are written, which changes a file
  try {
    const deployed = deployer(stack, chosen, options);
    for (const each of chosen) {
      if (stop.aborted) break;
      console.error(`\n=== ${each.name}`);
      try {
        const section = await sectionOf(each, { ...options, stack, deployed, stop });
        sections.push(section);
        show(section, asked.json ? console.error : console.log);
        const page = fs.readFileSync(documentFile, "utf8");
        fs.writeFileSync(documentFile, withSection(page, section, { command: command(), ...code }));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        failures.push(`${each.name}: ${error.message}`);
        if (!stop.aborted) console.error("failed; the reason is at the end");
      }
    }
  } finally {
    await stack.destroy();
  }
  if (asked.json) {
    const benchmarks = sections.map(({ tables, ...section }) => {
      return { ...section, tables: tables.map(({ data }) => data) };
    });
    console.log(JSON.stringify({ command: command(), code, benchmarks }, undefined, 2));
  }
  if (stop.aborted) failures.splice(0, failures.length, "interrupted");
  for (const failure of failures) console.error(failure);
  return failures.length === 0 ? 0 : 1;
}

/** @throws WrongUse for a name that no benchmark has */
export function chosenBenchmarks(only: string | undefined): readonly Benchmark[] {
  if (only === undefined) return benchmarks.filter(({ onlyAsked }) => !onlyAsked);
  const names = only.split(",");
  const unknown = names.find((name) => !benchmarks.some((each) => each.name === name));
  if (unknown === undefined) return benchmarks.filter(({ name }) => names.includes(name));
  const all = benchmarks.map(({ name }) => name).join(", ");
  throw new WrongUse(`--only is ${JSON.stringify(only)}: no ${unknown}; available: ${all}`);
}

/** @throws WrongUse for a value that is no whole number above zero */
export function optionsOf(asked: Omit<Asked, "only" | "json">): Options {
  const { rows, photos, samples, forks, config = [] } = asked;
  return {
    rows: sizes("rows", rows),
    photos: sizes("photos", photos),
    plan: {
      ...(samples && { repeats: String(wholeNumber("samples", samples)) }),
      ...(forks && { forks: String(wholeNumber("forks", forks)) }),
    },
    config,
  };
}

function sizes(option: string, text: string): number[] {
  return text.split(",").map((one) => wholeNumber(option, one));
}

function wholeNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new WrongUse(`--${option} is ${JSON.stringify(text)}: it takes a whole number above 0`);
}

/** Deploys once with all that the chosen benchmarks need, and again only for another size. */
function deployer(stack: BenchStack, chosen: readonly Benchmark[], options: Options) {
  const names = chosen.map(({ name }) => name);
  const images = names.filter((name) => name.startsWith("image-"));
  const tables = names.some((name) => name === "taxi-report");
  let deployed: Record<string, string | number> | undefined;
  return async (wanted: Record<string, string | number> = {}) => {
    const before = deployed ?? {
      workloads: ["taxi-report", ...images].join(","),
      taxiRows: tables ? options.rows[0] : 12_000,
      photos: images.length > 0 ? options.photos[0] : 1,
    };
    const now = { ...before, ...wanted };
    if (deployed && JSON.stringify(deployed) === JSON.stringify(now)) return;
    await stack.start(now);
    deployed = now;
  };
}

async function sectionOf(
  benchmark: Benchmark,
  bench: Omit<Bench, "measured" | "note">,
): Promise<Section> {
  const notes: string[] = [];
  const tables = await benchmark.run({
    ...bench,
    measured: async (comparison) =>
      tableOf(await measure(bench.stack.name, comparison, progress, bench.stop)),
    note: (text) => void notes.push(text),
  });
  return { name: benchmark.name, tables, notes, at: new Date().toISOString() };
}

function progress(phase: string): void {
  const line = phase.slice(0, 100);
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
}

function show({ tables, notes }: Section, say: (line: string) => void): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  for (const { title, rows, legend } of tables) {
    say(`\n${title}\n`);
    for (const line of textTable(rows, rows[0].slice(1))) say(line);
    say(`\n${legend}`);
  }
  for (const note of notes) say(note);
}

function command(): string {
  return ["npm run bench", ...process.argv.slice(2)].join(" ").replace("bench ", "bench -- ");
}
