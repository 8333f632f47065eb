import { ratiosOf } from "../../results/comparison";
import type { Outcome, Sample } from "../../results/outcome";
import { median } from "../../results/statistics";
import { number, percent, seconds } from "../format";
import { html, type Html } from "../html";
import { numeric, ratioText, rows, table, words } from "../table";
import { engineName, workloadWords } from "../words";
import { details } from "./details";
import { memory, ratio, samples, startUp } from "./figures";
import type { Group } from "./overview";
import { verification } from "./verification";

/** All runs of one workload: how long, against the reference, how much memory, and whether right. */
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
  return table({
    caption: "Time from the inputs in the store to the output in the store",
    columns: [
      ...words("Engine"),
      ...numeric("Median", "Min to max", "× reference", `${unit} per second`),
      ...numeric("CPU, median", "Others' share, max"),
      ...words("Device"),
    ],
    rows: rows(outcomes, (run) => [
      html`<strong>${seconds(run.median)}</strong>${run.basis === "first" && " (first)"}`,
      `${number(Math.min(...run.measured))} to ${seconds(Math.max(...run.measured))}`,
      ratios ? ratioText(ratios.get(run.engine)) : "no reference",
      run.rowsIn === undefined || run.median <= 0 ? "unknown" : number(run.rowsIn / run.median),
      of(run.counted, "cpuSeconds", (values) => seconds(median(values))),
      of(run.counted, "othersShare", (values) => percent(Math.max(...values))),
      run.device,
    ]),
  });
}

/** A figure over the samples that have one. */
function of(
  samples: readonly Sample[],
  name: "cpuSeconds" | "othersShare",
  all: (values: readonly number[]) => string,
): string {
  const values = samples.flatMap((sample) => sample[name] ?? []);
  return values.length === 0 ? "unknown" : all(values);
}

/** Why runs have no ratio although they and the reference have results. */
function incomparable(outcomes: readonly Outcome[]): Html {
  const told = [...(ratiosOf(outcomes) ?? [])].map(
    ([engine, found]) =>
      "why" in found &&
      html`<p class="note">
        ${engineName(engine)} is not comparable with the reference: ${found.why}.
      </p>`,
  );
  return html`${told}`;
}
