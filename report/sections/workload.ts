import { ratiosOf } from "../../results/comparison";
import { efficiencyOf, type Prices } from "../../results/efficiency";
import type { Outcome, Sample } from "../../results/outcome";
import { intervalOf } from "../../results/statistics";
import { known, number, percent, seconds } from "../format";
import { html, type Html } from "../html";
import { numeric, ratioText, runTable, words } from "../table";
import { engineName, workloadWords } from "../words";
import { details } from "./details";
import { memory, ratio, samples, startUp } from "./figures";
import type { Group } from "./overview";
import { profiles } from "./profiles";
import { gpuTable, requests } from "./resources";
import { verification } from "./verification";

/** All runs of one workload: how long, against the reference, how much memory, and whether right. */
export function workloadSection({ workload, outcomes, id }: Group, prices?: Prices): Html {
  const { title, what } = workloadWords(workload);
  const inputs = outcomes.find((outcome) => outcome.inputs)?.inputs ?? {};
  return html`<section id="${id}" aria-labelledby="${id}-heading">
    <h2 id="${id}-heading">${workload}${title && html` <span class="kind">${title}</span>`}</h2>
    <p>${what(inputs)}${distance(inputs)}</p>
    ${timesTable(workload, outcomes, prices)} ${incomparable(outcomes)} ${gpuTable(outcomes)}
    <div class="figures">
      ${samples(outcomes, id)} ${ratio(outcomes, id)} ${startUp(outcomes, id)}
      ${memory(outcomes, id)}
    </div>
    ${profiles(outcomes)} ${requests(outcomes)} ${verification(workload, outcomes)}
    ${details(outcomes)}
  </section>`;
}

/** How far away the store was for the engines, where a proxy made it so. */
function distance({ network = "none" }: Readonly<Record<string, string>>): string {
  if (network === "none") return "";
  return ` Engines reached the store over a shaped network: each round trip took ${network} longer.`;
}

function timesTable(workload: string, outcomes: readonly Outcome[], prices?: Prices): Html {
  const { unit, amount } = workloadWords(workload);
  const ratios = ratiosOf(outcomes);
  const money = prices ? [`${prices.currency} for ${amount.words} on ${prices.machine}`] : [];
  const caption = "Time from the inputs in the store to the output in the store";
  const columns = [
    ...numeric("One-shot", "Steady, median", "Interval", "× reference", `${unit} per second`),
    ...numeric(`Core-seconds for ${amount.words}`, ...money, "Others' share, max"),
    ...words("Device"),
  ];
  return runTable(caption, outcomes, columns, (run) => {
    const { low, high } = intervalOf(run.measured);
    const { coreSeconds, money: cost } = efficiencyOf(run, amount.value, prices);
    return [
      known(run.oneShot, seconds),
      html`<strong>${seconds(run.median)}</strong>${run.basis === "first" && " (first)"}${
          run.state === "still warming" && ` still warming, ${percent(run.slope)} a sample`
        }`,
      `${number(low)} to ${seconds(high)}`,
      ratios ? ratioText(ratios.get(run.engine)) : "no reference",
      run.rowsIn === undefined || run.median <= 0 ? "unknown" : number(run.rowsIn / run.median),
      known(coreSeconds, number),
      ...(prices ? [known(cost, number)] : []),
      othersShare(run.counted),
      run.device,
    ];
  });
}

function othersShare(samples: readonly Sample[]): string {
  const shares = samples.flatMap((sample) => sample.othersShare ?? []);
  return shares.length === 0 ? "unknown" : percent(Math.max(...shares));
}

/** Why runs have no ratio although they and the reference have results. */
function incomparable(outcomes: readonly Outcome[]): Html {
  const shown = [...(ratiosOf(outcomes) ?? [])].map(
    ([engine, found]) =>
      "why" in found &&
      html`<p class="note">
        ${engineName(engine)} is not comparable with the reference: ${found.why}.
      </p>`,
  );
  return html`${shown}`;
}
