import { html, type Html, type Piece } from "../html";
import { disturbedAbove, isVerified, type Outcome, type Verified } from "../../results/outcome";
import { percent, plural } from "../format";
import { bootstrapFrom } from "../../results/statistics";
import { engineName, whatPersists } from "../words";

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
        ${repeats(verified)} All samples of a run are taken in one driver process, so only the first
        is cold.
      </li>
      <li>
        Memory is that of the job and its engine's services together, read about four times a
        second: ${measures(verified)}. Figures that were measured in different ways are not
        comparable.
      </li>
      <li>
        One run executes at a time on the machine. The output of the last sample is compared with an
        oracle, which is other code than any engine's. A wrong output is a failure and is not
        published.
      </li>
      <li>
        Every engine gets the same inputs, the same model file and the same cores, and may use the
        same memory; its inputs and its effective configuration show this. <code>cores</code> is
        enforced by the engine's own settings, <code>runMemory</code> by measuring: a run whose peak
        is above it fails.
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
      <li>
        More than one machine, several runs at a time, cost, and what an engine does under failures.
      </li>
      <li>
        A memory peak that is shorter than the pause between two readings, and the CPU of a process
        that lives for less than that.
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
        A hot sample during which other processes used more than ${percent(disturbedAbove)} of the
        machine's cores is taken again, at most twice. The least disturbed try counts; if it is
        disturbed too, it is marked (○ in the charts, ! in the tables). All tries are under Numbers.
        ${disturbance(verified)}
      </li>
      <li>
        The interval of a ratio is of the samples of one attempt: with ${bootstrapFrom} or more hot
        samples on both sides a bootstrap of the ratio of medians, else from min to max. Another
        attempt on another day differs by more; <code>npm run compare</code> shows by how much.
      </li>
    </ul>
  </section>`;
}

function repeats(verified: readonly Verified[]): string {
  const told = new Set(
    verified.map(({ samples }) => {
      const hot = samples.filter(({ kind }) => kind === "hot").length;
      return `${samples.length - hot} cold and ${hot} hot`;
    }),
  );
  return told.size === 0 ? "No sample was taken." : `Samples a run: ${[...told].join("; ")}.`;
}

const measureWords: Readonly<Record<string, string>> = {
  pss: "the proportional set size (PSS), in which a page that n processes share counts 1/n for each",
  rss: "the resident set size (RSS), in which shared pages count for each process",
  cgroup: "the usage of the containers' cgroups, which has their page cache in it",
};

function measures(verified: readonly Verified[]): string {
  const found = new Set(verified.map(({ memoryMeasure }) => memoryMeasure ?? "unknown"));
  const told = (name: string) => (Object.hasOwn(measureWords, name) ? measureWords[name] : name);
  return [...found].map(told).join("; ") || "nothing was measured";
}

function persisting(verified: readonly Verified[]): Piece[] {
  const byEngine = new Map(verified.map((run) => [run.engine, whatPersists(run)]));
  return [...byEngine].map(
    ([engine, what]) => html`<li><strong>${engineName(engine)}</strong>: ${what}.</li> `,
  );
}

function disturbance(verified: readonly Verified[]): string {
  const samples = verified.flatMap((run) => run.samples);
  const again = samples.filter(({ tries }) => tries.length > 1).length;
  const disturbed = samples.filter((sample) => sample.disturbed).length;
  const of = `of the ${plural(samples.length, "sample")}`;
  return disturbed === 0
    ? `${again} ${of} were taken again, and none is marked.`
    : `${again} ${of} were taken again, and ${disturbed} are marked: read them with care.`;
}
