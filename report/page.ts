import * as fs from "node:fs";
import * as path from "node:path";
import { canonicalJson } from "../infra/stack/files";
import { bytes, moment, plural } from "./format";
import { html, trusted, type Html, type Piece } from "./html";
import {
  isVerified,
  readOutcome,
  type Outcome,
  type RunOutcome,
  type Verified,
} from "../results/outcome";
import type { Prices } from "../results/efficiency";
import { failures } from "../results/result";
import { commit } from "./sections/details";
import { method } from "./sections/method";
import { overview, type Group } from "./sections/overview";
import { workloadSection } from "./sections/workload";
import { byEngineOrder, engineName } from "./words";

/** What a page is made from. Equal data give an equal page, byte by byte. */
export interface ReportData {
  readonly stack: string;
  /** Every run that was asked for, also those that failed or never came to an end. */
  readonly runs: readonly RunOutcome[];
  readonly prices?: Prices;
}

/** The page loads nothing and runs nothing: its style and its pictures are in it. */
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** The report as one HTML page that needs nothing else. */
export function renderPage({ stack, runs, prices }: ReportData): string {
  const outcomes = runs.map(readOutcome);
  const groups = grouped(outcomes);
  const title = `Engine comparison: stack ${stack}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          ${style()}
        </style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the results</a>
        <header>
          <h1>Engine comparison</h1>
          <p class="lead">${lead(outcomes)}</p>
          ${facts(stack, outcomes)}
          <nav aria-label="Sections">
            <ul>
              <li><a href="#glance">At a glance</a></li>
              ${groups.map(({ workload, id }) => html`<li><a href="#${id}">${workload}</a></li> `)}
              <li><a href="#method">How this was measured</a></li>
            </ul>
          </nav>
        </header>
        <main id="main" tabindex="-1">
          ${overview(groups)} ${groups.map((group) => workloadSection(group, prices))}
          ${method(outcomes)}
        </main>
      </body>
    </html> `.text;
}

/** Workloads in the order in which they first come up; in each, the engines in their order. */
function grouped(outcomes: readonly Outcome[]): Group[] {
  const names = [...new Set(outcomes.map(({ workload }) => workload))];
  return names.map((workload, at) => ({
    workload,
    outcomes: outcomes
      .filter((outcome) => outcome.workload === workload)
      .sort((a, b) => byEngineOrder(a.engine, b.engine)),
    id: `workload-${at + 1}`,
  }));
}

function style(): Html {
  const sheets = ["page.css", "parts.css"].map((name) => path.join(__dirname, name));
  return trusted(sheets.map((file) => fs.readFileSync(file, "utf8")).join("\n"));
}

/** `a, b and c` */
const list = new Intl.ListFormat("en-GB");

function lead(outcomes: readonly Outcome[]): Piece {
  const engines = [...new Set(outcomes.map(({ engine }) => engineName(engine)))];
  const of = (status: Outcome["status"]) => outcomes.filter((one) => one.status === status).length;
  const counts = [
    `${of("verified")} verified`,
    ...failures.flatMap((status) =>
      of(status) > 0 ? [html`<strong class="failed">${of(status)} ${status}</strong>`] : [],
    ),
    ...(of("not supported") > 0 ? [`${of("not supported")} not supported`] : []),
    ...(of("not run") > 0
      ? [html`<strong class="failed">${of("not run")} without an outcome</strong>`]
      : []),
  ];
  const joined = counts.flatMap((piece, at) => (at === 0 ? [piece] : [", ", piece]));
  return html`${list.format(engines)}: ${plural(outcomes.length, "run")}, ${joined}.`;
}

function facts(stack: string, outcomes: readonly Outcome[]): Html {
  const verified = outcomes.filter(isVerified);
  const ends = outcomes.flatMap((outcome) => ("at" in outcome ? [outcome.at] : [])).sort();
  const commits = [...new Set(verified.map(commit))];
  const hosts = [...new Map(verified.map((run) => [canonicalJson(run.host), run])).values()];
  const several =
    hosts.length > 1 &&
    html` <strong class="failed">results of different hosts: not comparable</strong>`;
  const shown: Record<string, Piece> = {
    Stack: stack,
    "Last run ended": ends.length > 0 ? moment(ends.at(-1)!) : "never",
    Code: commits.join(", ") || "unknown",
    Host: [hosts.map(host).join(" | ") || "unknown", several],
  };
  return html`<dl class="facts">
    ${Object.entries(shown).map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

function host({ host }: Verified): string {
  const { cpu, cores, memoryBytes, system } = host;
  const memory = typeof memoryBytes === "number" ? bytes(memoryBytes) : undefined;
  const known = [cpu, typeof cores === "number" ? `${cores} cores` : undefined, memory, system];
  return known.filter((part) => typeof part === "string" && part !== "").join(", ");
}
