import * as fs from "node:fs";
import * as path from "node:path";
import { html, trusted, type Html, type Piece } from "../html";
import { disturbedAbove, isVerified, type Outcome, type Verified } from "../../results/outcome";
import { percent, plural } from "../format";
import { bootstrapFrom } from "../../results/statistics";
import { engineName, whatPersists } from "../words";

/**
 * In words: what was measured, what was not, and what the figures are worth. A name in braces in
 * method.html stands for a value.
 */
export function method(outcomes: readonly Outcome[]): Html {
  const verified = outcomes.filter(isVerified);
  const values: Readonly<Record<string, Piece>> = {
    repeats: repeats(verified),
    measures: measures(verified),
    persisting: persisting(verified),
    disturbedAbove: percent(disturbedAbove),
    disturbance: disturbance(verified),
    bootstrapFrom,
  };
  const page = fs.readFileSync(path.join(__dirname, "method.html"), "utf8");
  return trusted(page.replace(/\{(\w+)\}/g, (_, name: string) => html`${values[name]}`.text));
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

function persisting(verified: readonly Verified[]): Piece[] {
  const byEngine = new Map(verified.map((run) => [run.engine, whatPersists(run)]));
  return [...byEngine].map(
    ([engine, what]) => html`<li><strong>${engineName(engine)}</strong>: ${what}.</li> `,
  );
}

function disturbance(verified: readonly Verified[]): string {
  const samples = verified.flatMap((run) => run.samples);
  const disturbed = samples.filter((sample) => sample.disturbed).length;
  return `${disturbed} of the ${plural(samples.length, "sample")} are marked.`;
}
