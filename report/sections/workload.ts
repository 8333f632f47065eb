import { memoryChart } from "../charts/memory";
import { ratioChart } from "../charts/ratio";
import { isLogarithmic, samplesChart } from "../charts/samples";
import { startUpChart } from "../charts/startUp";
import { engines, isBaseline } from "../../results/catalog";
import { ratiosOf, type Against } from "../../results/comparison";
import { bytes, number, percent, seconds, times } from "../format";
import { html, type Html, type Piece } from "../html";
import {
  isVerified,
  type Outcome,
  type Sample,
  type Try,
  type Verified,
} from "../../results/outcome";
import { bootstrapFrom, median, type Ratio } from "../../results/statistics";
import { absent, numeric, table, words, type Column, type Row } from "../table";
import { engineName, workloadWords } from "../words";
import { details } from "./details";
import type { Group } from "./overview";
import { verification } from "./verification";

/** All runs of one workload: how long, against the baseline, how much memory, and whether right. */
export function workloadSection({ workload, outcomes, id }: Group): Html {
  const { title, unit, what } = workloadWords(workload);
  const inputs = outcomes.find((outcome) => outcome.inputs)?.inputs ?? {};
  return html`<section id="${id}" aria-labelledby="${id}-heading">
    <h2 id="${id}-heading">${workload}${title && html` <span class="kind">${title}</span>`}</h2>
    <p>${what(inputs)}</p>
    ${timesTable(outcomes, unit)} ${incomparable(outcomes)}
    <div class="figures">
      ${samples(outcomes, id)} ${ratio(outcomes, id)} ${startUp(outcomes, id)}
      ${memory(outcomes, id)}
    </div>
    ${verification(workload, outcomes)} ${details(outcomes)}
  </section>`;
}

/** Rows of a table of runs, in which a run without a result says so across all columns. */
function rows(outcomes: readonly Outcome[], cells: (run: Verified) => readonly Piece[]) {
  return outcomes.map((outcome) => {
    const name = engineName(outcome.engine);
    return isVerified(outcome)
      ? { name, cells: cells(outcome) }
      : { name, across: absent(outcome) };
  });
}

function timesTable(outcomes: readonly Outcome[], unit: string): Html {
  const ratios = ratiosOf(outcomes);
  const columns: Column[] = [
    words("Engine"),
    numeric("Median"),
    numeric("Least to most"),
    numeric("× baseline"),
    numeric(`${unit} per second`),
    numeric("CPU, median"),
    numeric("Others' share, most"),
    words("Device"),
  ];
  return table({
    caption: "Time from the inputs in the store to the output in the store",
    columns,
    rows: rows(outcomes, (run) => [
      html`<strong>${seconds(run.median)}</strong>${run.basis === "first" && " (first)"}`,
      `${number(Math.min(...run.measured))} to ${seconds(Math.max(...run.measured))}`,
      ratios ? ratioText(ratios.get(run.engine)) : "no baseline",
      run.rowsIn === undefined || run.median <= 0 ? "unknown" : number(run.rowsIn / run.median),
      of(
        run.counted,
        ({ cpuSeconds }) => cpuSeconds,
        (values) => seconds(median(values)),
      ),
      of(
        run.counted,
        ({ othersShare }) => othersShare,
        (values) => percent(Math.max(...values)),
      ),
      run.device,
    ]),
  });
}

/** A figure over the samples that have one. */
function of(
  samples: readonly Sample[],
  one: (sample: Sample) => number | undefined,
  all: (values: readonly number[]) => string,
): string {
  const values = samples.flatMap((sample) => one(sample) ?? []);
  return values.length === 0 ? "unknown" : all(values);
}

function ratioText(found: Against | undefined): Piece {
  if (!found) return "unknown";
  return found.ratio ? times(found.ratio.value) : "not comparable";
}

/** Why runs have no ratio although they and the baseline have results. */
function incomparable(outcomes: readonly Outcome[]): Html {
  const ratios = ratiosOf(outcomes) ?? new Map<string, Against>();
  const told = [...ratios].filter(([, { ratio }]) => !ratio);
  return html`${told.map(([engine, found]) => {
    const why = "why" in found ? found.why : "";
    return html`<p class="note">
      ${engineName(engine)} is not comparable with the baseline: ${why}.
    </p>`;
  })}`;
}

interface Figure {
  readonly title: string;
  readonly about: Piece;
  readonly picture: Html;
  readonly numbers: Html;
}

function figure({ title, about, picture, numbers }: Figure): Html {
  return html`<figure>
    <figcaption>
      <h3>${title}</h3>
      <p>${about}</p>
    </figcaption>
    ${picture}
    <details>
      <summary>Numbers<span class="hidden">: ${title}</span></summary>
      ${numbers}
    </details>
  </figure>`;
}

function samples(outcomes: readonly Outcome[], id: string): Html {
  const title = "Every sample";
  const verified = outcomes.filter(isVerified);
  const scale = verified.length > 0 && isLogarithmic(verified) ? ", on a logarithmic axis" : "";
  const disturbed = verified.some((run) => run.samples.some((sample) => sample.disturbed));
  const repeated = verified.some((run) => run.samples.some(({ tries }) => tries.length > 1));
  return figure({
    title,
    about: html`● hot, ◇ first (cold)${disturbed && ", ○ hot while others used the machine"}; from
    top to bottom in the order taken${scale}. The line is the median of the hot ones.`,
    picture: samplesChart(outcomes, `${id}-samples`, title),
    numbers: table({
      caption: `${title}, in the order taken`,
      columns: [
        words("Engine"),
        words("Sample"),
        numeric("Time"),
        numeric("Others' share of CPU"),
        ...(repeated ? [words("All tries")] : []),
      ],
      rows: outcomes.flatMap((outcome): Row[] => {
        const name = engineName(outcome.engine);
        if (!isVerified(outcome)) return [{ name, across: absent(outcome) }];
        return outcome.samples.map(
          ({ kind, seconds: took, othersShare, disturbed, tries }, at) => ({
            name,
            cells: [
              `${at + 1}, ${kind}`,
              seconds(took),
              `${share(othersShare)}${disturbed ? " !" : ""}`,
              ...(repeated ? [triesText(tries)] : []),
            ],
          }),
        );
      }),
    }),
  });
}

/** Why a sample was taken again: each try with the others' share of the machine meanwhile. */
function triesText(tries: readonly Try[]): string {
  const told = tries.map((one) => `${seconds(one.seconds)} (${share(one.othersShare)})`);
  return tries.length > 1 ? told.join(", ") : "one";
}

function share(value: number | undefined): string {
  return value === undefined ? "unknown" : percent(value);
}

function ratio(outcomes: readonly Outcome[], id: string): Html {
  const title = "Against the baseline";
  const ratios = ratiosOf(outcomes);
  if (!ratios) {
    return html`<figure>
      <figcaption>
        <h3>${title}</h3>
        <p class="note">${noBaseline(outcomes)}</p>
      </figcaption>
    </figure>`;
  }
  const found = [...ratios.values()].flatMap(({ ratio }) => ratio ?? []);
  return figure({
    title,
    about: html`Median by the baseline's median, less is faster; ${intervals(found)}.`,
    picture: ratioChart(outcomes, ratios, `${id}-ratio`, title),
    numbers: table({
      caption: "Times the baseline's time, with the interval",
      columns: [
        words("Engine"),
        numeric("Ratio"),
        numeric("From"),
        numeric("To"),
        words("Interval"),
      ],
      rows: rows(outcomes, (run) => {
        const { ratio } = ratios.get(run.engine)!;
        if (!ratio) return [ratioText(ratios.get(run.engine)), "", "", ""];
        const { value, low, high, interval } = ratio;
        const how = interval === "bootstrap" ? "95 % bootstrap" : "least to most";
        return [times(value), times(low), times(high), how];
      }),
    }),
  });
}

function intervals(found: readonly Ratio[]): string {
  const bootstrap = "the interval is a seeded bootstrap's, 95 %";
  const range = "the interval spans all samples of both sides";
  const kinds = new Set(found.map(({ interval }) => interval));
  if (found.every(({ low, high }) => low === high)) return "one sample a side has no interval";
  if (kinds.size < 2) return kinds.has("bootstrap") ? bootstrap : range;
  return `${bootstrap}; below ${bootstrapFrom} samples ${range}`;
}

function noBaseline(outcomes: readonly Outcome[]): Html {
  const baseline = outcomes.find(({ engine }) => isBaseline(engine));
  if (baseline?.status === "failed") return html`The baseline failed, so there is no ratio to it.`;
  if (baseline) return html`The baseline has no outcome, so there is no ratio to it.`;
  const known = engines().find(
    ({ baseline, workloads }) => baseline && workloads.includes(outcomes[0].workload),
  );
  return html`There is no baseline run of this workload, so there is no ratio to
  it.${
    known &&
    html` The engine
      <code>${known.name}</code> is one of <code>engines</code> with <code>matrix: full</code>.`
  }`;
}

function startUp(outcomes: readonly Outcome[], id: string): Html {
  const title = "Start-up against work";
  return figure({
    title,
    about: html`Upper bar: start-up (faint), then the first sample. Lower bar: a hot one. Services
    that stand (a Spark or Ray cluster) are up before.`,
    picture: startUpChart(outcomes, `${id}-startup`, title),
    numbers: table({
      caption: "From nothing to the first answer, and to each later one",
      columns: [
        words("Engine"),
        numeric("Start-up"),
        numeric("First sample"),
        numeric("Together"),
        numeric("Hot, median"),
      ],
      rows: rows(outcomes, ({ startUp, first, basis, median }) => [
        startUp === undefined ? "unknown" : seconds(startUp),
        first === undefined ? "not taken" : seconds(first),
        startUp === undefined || first === undefined ? "unknown" : seconds(startUp + first),
        basis === "hot" ? seconds(median) : "not taken",
      ]),
    }),
  });
}

function memory(outcomes: readonly Outcome[], id: string): Html {
  const title = "Memory";
  const measures = new Set(
    outcomes.filter(isVerified).map((run) => run.memoryMeasure ?? "unknown"),
  );
  return figure({
    title,
    about: html`Most at one moment (measured as ${[...measures].join(" and ") || "nothing"}) of the
    job and its engine's services; the solid part is what the services held before the job.`,
    picture: memoryChart(outcomes, `${id}-memory`, title),
    numbers: table({
      caption: "Memory of the job and its engine's services",
      columns: [
        words("Engine"),
        numeric("Peak"),
        numeric("Idle, before"),
        numeric("Allowed"),
        words("Measure"),
      ],
      rows: rows(outcomes, ({ peakMemory, idleMemory, memoryLimit, memoryMeasure }) => [
        peakMemory === undefined ? "unknown" : bytes(peakMemory),
        idleMemory === undefined ? "unknown" : bytes(idleMemory),
        memoryLimit === undefined ? "unlimited" : bytes(memoryLimit),
        memoryMeasure ?? "unknown",
      ]),
    }),
  });
}
