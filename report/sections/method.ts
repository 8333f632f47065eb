import { html, type Html, type Piece } from "../html";
import { disturbedAbove, isVerified, type Outcome, type Verified } from "../../results/outcome";
import { percent, plural } from "../format";
import { bootstrapFrom } from "../../results/statistics";
import { engineName } from "../words";

/** In words: what was measured, what was not, and what the figures are worth. */
export function method(outcomes: readonly Outcome[]): Html {
  const verified = outcomes.filter(isVerified);
  return html`<section id="method" aria-labelledby="method-heading" class="prose">
    <h2 id="method-heading">How this was measured</h2>
    <h3>What a figure covers</h3>
    <ul>
      <li>
        A sample begins with the inputs in the object store and ends with the output in the object
        store. Reading, decoding, computing and writing are all in it.
      </li>
      <li>
        Start-up is measured apart and is in no sample: importing the engine, starting its driver,
        connecting, and waiting for its workers.
      </li>
      <li>
        ${repeats(verified)} Of each driver process only the first sample is cold. One-shot is
        start-up and first sample together. Steady is the median of the hot samples, those after the
        medians of the last two groups of three differ by at most 5 % or by no more than their
        noise; where the budget (<code>measureSeconds</code>) is used up before, the run is marked
        as still warming.
      </li>
      <li>
        Peak memory is that of the job and its engine's services together: the largest sampled sum
        of ${measures(verified)}. Figures that were measured in different ways are not comparable.
      </li>
      <li>
        One run executes at a time on the machine. The output of the last sample is compared with an
        oracle, which is other code than any engine's, and the exact columns of all other samples
        with those of the last one. A wrong output is a failure and is not published.
      </li>
      <li>
        Every engine gets the same inputs, the same model file and the same cores, and may use the
        same memory; its inputs and its effective configuration show this. Job and services are held
        to <code>cores</code> by CPU affinity or cpusets, to <code>runMemory</code> by measuring: a
        run whose peak is above it fails.
      </li>
    </ul>
    <h3>What persists between the samples of a run</h3>
    <ul>
      ${persisting(verified)}
    </ul>
    <h3>What was not measured</h3>
    <ul>
      <li>
        Starting the object store and the Spark and Ray clusters; making and uploading the data;
        installing anything; the oracle.
      </li>
      <li>Several runs at a time, and what an engine does under failures.</li>
      <li>
        The CPU of a process that lives for less than the pause between two readings, a quarter of a
        second.
      </li>
      <li>
        Other inputs. Sizes decide: an engine made for large clusters pays for that on small data.
        The figures say how this machine did with these inputs.
      </li>
    </ul>
    <h3>Noise</h3>
    <ul>
      <li>
        The object store works on the same machine; its CPU is counted neither for an engine nor for
        others.
      </li>
      <li>
        No sample is taken again. One during which other processes used more than
        ${percent(disturbedAbove)} of the machine's cores is marked (○ in the charts, ! in the
        tables), and left out of the median where three others remain. ${disturbance(verified)}
      </li>
      <li>
        An interval is of the samples of one attempt: with ${bootstrapFrom} or more hot samples a
        bootstrap, over driver processes (<code>forks</code>) first and samples second, else from
        min to max. With one driver process nothing is known of how far processes differ. Another
        attempt on another day differs by more; <code>npm run compare</code> shows by how much.
      </li>
    </ul>
  </section>`;
}

function repeats(verified: readonly Verified[]): string {
  const counts = new Set(
    verified.map(({ samples }) => {
      const of = (wanted: string) => samples.filter(({ kind }) => kind === wanted).length;
      return [`${of("first")} cold`, `${of("warm")} warm`, `${of("hot")} hot`]
        .filter((part) => !part.startsWith("0 "))
        .join(", ");
    }),
  );
  return counts.size === 0 ? "No sample was taken." : `Samples a run: ${[...counts].join("; ")}.`;
}

const measureWords: Readonly<Record<string, string>> = {
  pss:
    "PSS, in which a page that n processes share counts 1/n for each, plus for each process what the kernel's " +
    "high-water mark exceeds its largest sampled RSS, so that a peak of any length is seen",
  "pss-sampled":
    "PSS, in which a page that n processes share counts 1/n for each; a peak between two readings is not seen",
  driver:
    "nothing, on clusters whose nodes nobody measures: neither their memory nor their CPU is known",
  rss: "RSS, in which shared pages count for each process; a peak between two readings is not seen",
};

function measures(verified: readonly Verified[]): string {
  const found = new Set(verified.map(({ memoryMeasure }) => memoryMeasure ?? "unknown"));
  const inWords = (name: string) => (Object.hasOwn(measureWords, name) ? measureWords[name] : name);
  return [...found].map(inWords).join("; ") || "nothing was measured";
}

/** What of an engine outlives a sample and so makes the next one hot, as the engine itself says. */
function persisting(verified: readonly Verified[]): Piece[] {
  const byEngine = new Map(verified.map((run) => [run.engine, run.configuration]));
  return [...byEngine].map(([engine, { persistsBetweenSamples: said }]) => {
    const what = typeof said === "string" ? said : "not stated by the engine";
    return html`<li><strong>${engineName(engine)}</strong>: ${what}.</li> `;
  });
}

function disturbance(verified: readonly Verified[]): string {
  const samples = verified.flatMap((run) => run.samples);
  const disturbed = samples.filter((sample) => sample.disturbed).length;
  return `${disturbed} of the ${plural(samples.length, "sample")} are marked.`;
}
