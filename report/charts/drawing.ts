import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { shortened } from "../format";
import { plain, trusted, type Html } from "../html";
import { isVerified, type Outcome, type Verified } from "../../results/outcome";
import { engineColor, engineName } from "../words";

export interface Chart {
  readonly outcomes: readonly Outcome[];
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
}

const width = 420;
const bandHeight = 36;
const namesWidth = 84;

export interface Drawn {
  /** Of the values, below the bands. */
  readonly axis: Plot.AxisXOptions;
  readonly marks: readonly Plot.Markish[];
  readonly scales: Plot.PlotOptions;
  /** What a run's marks say, for those who do not see them; undefined where it has none. */
  readonly inWords: (run: Verified) => string | undefined;
}

/** An SVG picture with a band a run. Its colours are those of the page, light or dark. */
export function draw(chart: Chart, { axis, marks, scales, inWords }: Drawn): Html {
  const { outcomes, id, title } = chart;
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = Plot.plot({
    document,
    width,
    marginLeft: namesWidth,
    marginRight: 24,
    marginTop: 4,
    marginBottom: 34,
    // Channels hold colours and opacities themselves, not values to be encoded by them.
    color: { type: "identity" },
    opacity: { type: "identity" },
    height: 38 + bandHeight * Math.max(1, outcomes.length),
    fy: { domain: outcomes.map(({ engine }) => engine), padding: 0, label: null, axis: null },
    ...scales,
    marks: [names(), ...valueAxis(axis), ...marks, absences(outcomes)],
  });
  const add = (name: string, text: string) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    element.setAttribute("id", `${id}-${name}`);
    element.textContent = plain(text);
    svg.insertBefore(element, svg.firstChild);
  };
  add("desc", described(outcomes, inWords));
  add("title", title);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-labelledby", `${id}-title`);
  svg.setAttribute("aria-describedby", `${id}-desc`);
  svg.removeAttribute("class");
  // Plot's own style sheet is repeated in every picture; what is needed of it is in parts.css.
  svg.querySelector("style")?.remove();
  return trusted(rounded(svg.outerHTML));
}

function described(outcomes: readonly Outcome[], inWords: Drawn["inWords"]): string {
  const verified = outcomes.filter(isVerified).flatMap((run) => {
    const words = inWords(run);
    return words === undefined ? [] : [`${engineName(run.engine)}: ${words}.`];
  });
  const others = outcomes
    .filter((outcome) => !isVerified(outcome))
    .map(({ engine, status }) => ` ${engineName(engine)}: ${status}.`);
  return verified.join(" ") + others.join("");
}

/** Attributes with two decimals: less than a hundredth of a pixel is not seen. */
function rounded(markup: string): string {
  return markup.replace(/="[^"]*"/g, (attribute) => attribute.replace(/(\.\d\d)\d+/g, "$1"));
}

/** The engines' names before their bands. */
function names(): Plot.Markish {
  return Plot.axisFy({
    anchor: "left",
    label: null,
    fontSize: 12.5,
    tickSize: 0,
    dx: -6,
    tickFormat: (engine: string) => plain(shortened(engineName(engine), 12)),
  });
}

/** In the bands of runs without a result: that it failed, where others have their marks. */
function absences(outcomes: readonly Outcome[]): Plot.Markish {
  const absent = outcomes.filter((outcome) => !isVerified(outcome));
  return Plot.text(absent, {
    ...inBand,
    fontWeight: 600,
    fill: "var(--failed)",
    text: (outcome: Outcome) =>
      "reason" in outcome
        ? `✕ ${outcome.status}: ${shortened(plain(outcome.reason.split("\n")[0]), 34)}`
        : "– no outcome",
  });
}

/** Words in a band that has no marks. */
export const inBand = {
  fy: "engine",
  frameAnchor: "left",
  dx: 6,
  fontSize: 12,
  stroke: "var(--paper)",
  strokeWidth: 5,
} as const;

export const color = ({ engine }: { readonly engine: string }) => engineColor(engine);

function valueAxis(options: Plot.AxisXOptions): Plot.Markish[] {
  return [
    Plot.gridX({ stroke: "var(--grid)", strokeOpacity: 1, ticks: options.ticks }),
    Plot.axisX({
      fontSize: 11.5,
      tickSize: 0,
      color: "var(--quiet)",
      labelArrow: "none",
      ...options,
    }),
  ];
}
