import { ratiosOf, type Against } from "../../results/comparison";
import type { Outcome, Sample } from "../../results/outcome";
import { median } from "../../results/statistics";
import { number, percent, seconds } from "../format";
import { html, type Html } from "../html";
import { numeric, rows, table, words, type Column } from "../table";
import { engineName, workloadWords } from "../words";
import { details } from "./details";
import { memory, ratio, ratioText, samples, startUp } from "./figures";
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

function timesTable(outcomes: readonly Outcome[], unit: string): Html {
  const ratios = ratiosOf(outcomes);
  const columns: Column[] = [
    words("Engine"),
    numeric("Median"),
    numeric("Min to max"),
    numeric("× baseline"),
    numeric(`${unit} per second`),
    numeric("CPU, median"),
    numeric("Others' share, max"),
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
