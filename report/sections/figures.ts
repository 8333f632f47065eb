import { referenceOf } from "../../results/catalog";
import { isReference, ratiosOf } from "../../results/comparison";
import { isVerified, type Outcome } from "../../results/outcome";
import { bootstrapFrom, type Interval } from "../../results/statistics";
import { memoryChart, startUpChart } from "../charts/bars";
import { ratioChart } from "../charts/ratio";
import { isLogarithmic, samplesChart } from "../charts/samples";
import { bytes, known, percent, seconds, times } from "../format";
import { html, type Html, type Piece } from "../html";
import { absent, numeric, ratioText, rows, table, words, type Row, type Table } from "../table";
import { engineName } from "../words";

function figure(title: string, about: Piece, picture: Html, numbers: Table): Html {
  return html`<figure>
    <figcaption>
      <h3>${title}</h3>
      <p>${about}</p>
    </figcaption>
    ${picture}
    <details>
      <summary>Numbers<span class="hidden">: ${title}</span></summary>
      ${table(numbers)}
    </details>
  </figure>`;
}

export function samples(outcomes: readonly Outcome[], id: string): Html {
  const title = "Every sample";
  const verified = outcomes.filter(isVerified);
  const scale = verified.length > 0 && isLogarithmic(verified) ? ", on a logarithmic axis" : "";
  const disturbed = verified.some((run) => run.samples.some((sample) => sample.disturbed));
  const warm = verified.some((run) => run.samples.some(({ kind }) => kind === "warm"));
  const forks = verified.some((run) => run.forks > 1);
  return figure(
    title,
    html`◇ first (cold)${warm && ", faint ● before the run was steady"}, ●
    hot${disturbed && ", ○ while others used the machine"}; from top to bottom in the order
    taken${forks && ", driver process after driver process"}${scale}. The line is the median of the
    hot ones.`,
    samplesChart({ outcomes, id: `${id}-samples`, title }),
    {
      caption: `${title}, in the order taken`,
      columns: [
        ...words("Engine", "Sample"),
        ...numeric(...(forks ? ["Process"] : []), "Time", "Others' share of CPU"),
      ],
      rows: outcomes.flatMap((outcome): Row[] => {
        const name = engineName(outcome.engine);
        if (!isVerified(outcome)) return [{ name, across: absent(outcome) }];
        return outcome.samples.map(
          ({ kind, fork, seconds: took, othersShare, disturbed: marked }, at) => ({
            name,
            cells: [
              `${at + 1}, ${kind}`,
              ...(forks ? [fork] : []),
              seconds(took),
              `${known(othersShare, percent)}${marked ? " !" : ""}`,
            ],
          }),
        );
      }),
    },
  );
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
  return figure(
    title,
    html`Median by the reference's median, less is faster; ${intervals(found)}.`,
    ratioChart({ outcomes, id: `${id}-ratio`, title }, ratios),
    {
      caption: "Times the reference's time, with the interval",
      columns: [...words("Engine"), ...numeric("Ratio", "From", "To"), ...words("Interval")],
      rows: rows(outcomes, (run) => {
        const { ratio } = ratios.get(run.engine)!;
        if (!ratio) return [ratioText(ratios.get(run.engine)), "", "", ""];
        const { value, low, high, interval } = ratio;
        const how = interval === "bootstrap" ? "95 % bootstrap" : "min to max";
        return [times(value), times(low), times(high), how];
      }),
    },
  );
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
  const title = "One-shot and steady";
  return figure(
    title,
    html`Upper bar: one-shot, which is start-up (faint), then the first sample: what a job pays that
    runs once. Lower bar: steady, a hot sample. A Spark or Ray cluster is started before that.`,
    startUpChart({ outcomes, id: `${id}-startup`, title }),
    {
      caption: "From nothing to the first answer, and to each later one",
      columns: [
        ...words("Engine"),
        ...numeric("Start-up", "First sample", "One-shot", "Steady, median"),
      ],
      rows: rows(outcomes, ({ startUp, first, oneShot, basis, median }) => [
        known(startUp, seconds),
        known(first, seconds, "not taken"),
        known(oneShot, seconds),
        basis === "hot" ? seconds(median) : "not taken",
      ]),
    },
  );
}

export function memory(outcomes: readonly Outcome[], id: string): Html {
  const title = "Memory";
  const measures = new Set(
    outcomes.filter(isVerified).map((run) => run.memoryMeasure ?? "unknown"),
  );
  return figure(
    title,
    html`Peak (measured as ${[...measures].join(" and ") || "nothing"}) of the job and its engine's
    services; the solid part is what the services held before the job.`,
    memoryChart({ outcomes, id: `${id}-memory`, title }),
    {
      caption: "Memory of the job and its engine's services",
      columns: [
        ...words("Engine"),
        ...numeric("Peak", "Idle, before", "Allowed"),
        ...words("Measure"),
      ],
      rows: rows(outcomes, ({ peakMemory, idleMemory, memoryLimit, memoryMeasure }) => [
        known(peakMemory, bytes),
        known(idleMemory, bytes),
        known(memoryLimit, bytes, "unlimited"),
        memoryMeasure ?? "unknown",
      ]),
    },
  );
}
