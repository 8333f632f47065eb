import { engines, workloads, type Engine, type Workload } from "../results/catalog";

/** What an engine's file says; undefined where it is gone. */
export function engineNamed(engine: string): Engine | undefined {
  return engines().find(({ name }) => name === engine);
}

/** An engine as people write it; one whose file is gone goes by its name. */
export function engineName(engine: string): string {
  return engineNamed(engine)?.label ?? engine;
}

/** The order of engines in every table and chart. */
export function byEngineOrder(a: string, b: string): number {
  const [one, other] = [placeOf(a), placeOf(b)];
  return one === other ? (a < b ? -1 : Number(a > b)) : one - other;
}

/** An engine's colour in page.css: four have their own, all others share three more. */
export function engineColor(engine: string): string {
  const place = placeOf(engine);
  return `var(--engine-${place < 4 ? place : 4 + ((place - 4) % 3)})`;
}

/** The place of an engine among all; behind them where its file is gone. */
function placeOf(engine: string): number {
  const place = engines().findIndex(({ name }) => name === engine);
  return place < 0 ? engines().length : place;
}

/** What is said of a workload whose file is gone. */
const gone: Pick<Workload, "title" | "question" | "sentences"> & { unit: { many: string } } = {
  title: "",
  unit: { many: "rows" },
  question: [],
  sentences: {
    what: { text: "", parts: {} },
    judged: "Outputs are compared with the oracle's.",
  },
};

/** What people read about a workload; of one whose file is gone, no more than its name. */
export function workloadWords(workload: string) {
  const found = workloads().find(({ name }) => name === workload) ?? gone;
  const unit = found.unit.many;
  const { what, judged } = found.sentences;
  const value = found.question.includes("model") ? 1000 : 1e6;
  return {
    title: found.title,
    /** What goes in, in the plural. */
    unit,
    /** For how many of them efficiency is stated: `a thousand images`. */
    amount: { value, words: `${value === 1000 ? "a thousand" : "a million"} ${unit}` },
    /** What is done with these inputs. */
    what: (inputs: Readonly<Record<string, string>>) =>
      Object.entries(what.parts).reduce((sentence, [name, { known, unknown }]) => {
        const part = inputs[name] ? known.replace("{}", () => inputs[name]) : unknown;
        return sentence.replace(`{${name}}`, () => part);
      }, what.text),
    judged,
  };
}
