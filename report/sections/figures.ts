import { referenceOf } from "../../results/catalog";
import { isReference, ratiosOf } from "../../results/comparison";
import { isVerified, type Outcome, type Verified } from "../../results/outcome";
import { bootstrapFrom, type Interval } from "../../results/statistics";
import { memoryChart, startUpChart } from "../charts/bars";
import type { Chart } from "../charts/drawing";
import { ratioChart } from "../charts/ratio";
import { isLogarithmic, samplesChart } from "../charts/samples";
import { bytes, known, percent, seconds, times } from "../format";
import { html, type Html, type Piece } from "../html";
import { absent, numeric, ratioText, runTable, table, words, type Row } from "../table";
import { engineName } from "../words";

interface Figure {
  readonly title: string;
  readonly about: Piece;
  readonly draw: (chart: Chart) => Html;
  /** The same in numbers, folded away. */
  readonly numbers: Html;
}

function figure(outcomes: readonly Outcome[], id: string, figure: Figure): Html {
  const { title, about, draw, numbers } = figure;
  return html`<figure>
    <figcaption>
      <h3>${title}</h3>
      <p>${about}</p>
    </figcaption>
    ${draw({ outcomes, id, title })}
    <details>
      <summary>Numbers<span class="hidden">: ${title}</span></summary>
      ${numbers}
    </details>
  </figure>`;
}

export function samples(outcomes: readonly Outcome[], id: string): Html {
  const verified = outcomes.filter(isVerified);
  const scale = verified.length > 0 && isLogarithmic(verified) ? ", on a logarithmic axis" : "";
  const disturbed = verified.some((run) => run.samples.some((sample) => sample.disturbed));
  const warm = verified.some((run) => run.samples.some(({ kind }) => kind === "warm"));
  const forks = verified.some((run) => run.forks > 1);
  const rows = outcomes.flatMap((outcome): Row[] => {
    const name = engineName(outcome.engine);
    if (!isVerified(outcome)) return [{ name, across: absent(outcome) }];
    return outcome.samples.map(({ kind, fork, othersShare, ...sample }, at) => ({
      name,
      cells: [
        `${at + 1}, ${kind}`,
        ...(forks ? [fork] : []),
        seconds(sample.seconds),
        `${known(othersShare, percent)}${sample.disturbed ? " !" : ""}`,
      ],
    }));
  });
  const numbered = numeric(...(forks ? ["Process"] : []), "Time", "Others' share of CPU");
  return figure(outcomes, `${id}-samples`, {
    title: "Every sample",
    about: html`◇ first (cold)${warm && ", faint ● before the run was steady"}, ●
    hot${disturbed && ", ○ while others used the machine"}; from top to bottom in the order
    taken${forks && ", driver process after driver process"}${scale}. The line is the median of the
    hot ones.`,
    draw: samplesChart,
    numbers: table({
      caption: "Every sample, in the order taken",
      columns: [...words("Engine", "Sample"), ...numbered],
      rows,
    }),
  });
}

export function ratio(outcomes: readonly Outcome[], id: string): Html {
  const title = "Against the reference";
  const ratios = ratiosOf(outcomes);
  if (!ratios) {
    return html`<figure>
      <figcaption>
        <h3>${title}</h3>
        <p class="note">${noReference(outcomes)}</p>
      </figcaption>
    </figure>`;
  }
  const found = [...ratios.values()].flatMap(({ ratio }) => ratio ?? []);
  const columns = [...numeric("Ratio", "From", "To"), ...words("Interval")];
  const caption = "Times the reference's time, with the interval";
  return figure(outcomes, `${id}-ratio`, {
    title,
    about: html`Median by the reference's median, less is faster; ${intervals(found)}.`,
    draw: (chart) => ratioChart(chart, ratios),
    numbers: runTable(caption, outcomes, columns, ({ engine }) => {
      const { ratio } = ratios.get(engine)!;
      if (!ratio) return [ratioText(ratios.get(engine)), "", "", ""];
      const { value, low, high, interval } = ratio;
      const how = interval === "bootstrap" ? "95 % bootstrap" : "min to max";
      return [times(value), times(low), times(high), how];
    }),
  });
}

function intervals(found: readonly Interval[]): string {
  const spread = found.every(({ forks }) => forks > 1)
    ? "over driver processes first, samples second"
    : "over samples: of one driver process nothing is known of how far processes differ";
  const bootstrap = `the interval is a seeded bootstrap's, 95 %, ${spread}`;
  const range = "the interval spans all samples of both sides";
  const kinds = new Set(found.map(({ interval }) => interval));
  if (found.every(({ low, high }) => low === high)) return "one sample a side has no interval";
  if (kinds.size < 2) return kinds.has("bootstrap") ? bootstrap : range;
  return `${bootstrap}; below ${bootstrapFrom} samples ${range}`;
}

function noReference(outcomes: readonly Outcome[]): Html {
  const run = outcomes.find(isReference);
  if (run) {
    const came = run.status === "not run" ? "has no outcome" : `came to "${run.status}"`;
    return html`The reference, ${engineName(run.engine)}, ${came}, so there is no ratio to it.`;
  }
  const reference = referenceOf(outcomes[0].workload);
  return html`There is no run of a reference of this workload, so there is no ratio to
  it.${reference && html` Add <code>${reference.name}</code> to <code>engines</code>.`}`;
}

export function startUp(outcomes: readonly Outcome[], id: string): Html {
  const caption = "From nothing to the first answer, and to each later one";
  const columns = numeric("Start-up", "First sample", "One-shot", "Steady, median");
  return figure(outcomes, `${id}-startup`, {
    title: "One-shot and steady",
    about: html`Upper bar: one-shot, which is start-up (faint), then the first sample: what a job
    pays that runs once. Lower bar: steady, a hot sample. A Spark or Ray cluster is started before
    that.`,
    draw: startUpChart,
    numbers: runTable(caption, outcomes, columns, ({ startUp, first, oneShot, basis, median }) => [
      known(startUp, seconds),
      known(first, seconds, "not taken"),
      known(oneShot, seconds),
      basis === "hot" ? seconds(median) : "not taken",
    ]),
  });
}

export function memory(outcomes: readonly Outcome[], id: string): Html {
  const caption = "Memory of the job and its engine's services";
  const columns = [...numeric("Peak", "Idle, before", "Allowed"), ...words("Measure")];
  const measureOf = ({ memoryMeasure }: Verified) => memoryMeasure ?? "unknown";
  const measures = new Set(outcomes.filter(isVerified).map(measureOf));
  return figure(outcomes, `${id}-memory`, {
    title: "Memory",
    about: html`Peak (measured as ${[...measures].join(" and ") || "nothing"}) of the job and its
    engine's services; the solid part is what the services held before the job.`,
    draw: memoryChart,
    numbers: runTable(caption, outcomes, columns, (run) => [
      known(run.peakMemory, bytes),
      known(run.idleMemory, bytes),
      known(run.memoryLimit, bytes, "unlimited"),
      measureOf(run),
    ]),
  });
}
