import { bytes, known, moment, seconds } from "../format";
import { html, type Html, type Piece } from "../html";
import { isVerified, type Outcome, type Verified } from "../../results/outcome";
import { absent, table, words } from "../table";
import { engineName, engineNamed } from "../words";

/** What is needed to repeat the runs of a workload, or to doubt them: folded away. */
export function details(outcomes: readonly Outcome[]): Html {
  return html`<div class="more">
    <details>
      <summary>Inputs of these runs</summary>
      ${inputs(outcomes)}
    </details>
    ${outcomes.map(
      (outcome) =>
        html`<details>
          <summary>${engineName(outcome.engine)}: attempt, configuration and versions</summary>
          ${
            isVerified(outcome)
              ? evidence(outcome)
              : html`<p>${absent(outcome)}</p>
                  ${attempt(outcome)}`
          }
        </details> `,
    )}
  </div>`;
}

/** Inputs side by side, so that what differs between the engines is seen. */
function inputs(outcomes: readonly Outcome[]): Html {
  const names = [...new Set(outcomes.flatMap((outcome) => Object.keys(outcome.inputs ?? {})))];
  return table({
    caption: "All that the runs depend on; their keys are the hashes of exactly these",
    columns: words("Input", ...outcomes.map(({ engine }) => engineName(engine))),
    rows: [
      { name: "key", cells: outcomes.map((one) => ("key" in one ? code(one.key) : "–")) },
      ...names.sort().map((name) => ({
        name,
        cells: outcomes.map(({ inputs }) => {
          if (!inputs) return "not recorded";
          return Object.hasOwn(inputs, name) ? inputs[name] : "–";
        }),
      })),
    ],
  });
}

function attempt(outcome: Outcome): Html {
  const facts: [string, Piece][] = [["run", outcome.run]];
  const guide = engineNamed(outcome.engine)?.guides[outcome.workload];
  if (guide !== undefined) facts.push(["written as in", html`<a href="${guide}">${guide}</a>`]);
  if (outcome.status !== "not run") {
    facts.push(["key", code(outcome.key)], ["attempt", outcome.attempt]);
    facts.push(["ended", moment(outcome.at)]);
  }
  if ("reason" in outcome) {
    facts.push(["log", outcome.log === null ? "none" : code(outcome.log)]);
    facts.push(["still published", outcome.published ? code(outcome.published) : "nothing"]);
  }
  if (outcome.status === "verified") {
    facts.push(["device", outcome.device], ["output", code(outcome.outputUri)]);
    facts.push(["code commit", commit(outcome)]);
    facts.push(["read", known(outcome.bytesIn, bytes)]);
    facts.push(["CPU, start-up and warm-up included", known(outcome.cpuSeconds, seconds)]);
    facts.push(["CPU of others meanwhile", known(outcome.othersCpuSeconds, seconds)]);
  }
  return facing("The attempt", facts);
}

/** The commit of a run's code, and whether the checkout had changes that are in no commit. */
export function commit({ commit, dirty }: Verified): string {
  return `${commit?.slice(0, 12) ?? "unknown"}${dirty ? " with changes" : ""}`;
}

function evidence(run: Verified): Html {
  const tables = {
    "The engine's effective configuration": run.configuration,
    "Deviations from the oracle's answer": run.deviations,
    "Agreement with the oracle": run.agreement,
    "Answers that differ most from the oracle's": run.disagreements,
    Versions: run.versions,
    "The host": run.host,
  };
  const facts = Object.entries(tables).map(([name, of]) => facing(name, flat(of)));
  return html`${attempt(run)} ${run.tunables.length > 0 && tunables(run)} ${facts}`;
}

function tunables(run: Verified): Html {
  return table({
    caption: "What it sets that its engine does not by default",
    columns: words("Tunable", "Value", "Default", "Why", "Source"),
    rows: run.tunables.map(({ name, value, default: usual, why, source }) => ({
      name,
      cells: [json(value), usual === null ? "none" : json(usual), why, source],
    })),
  });
}

function json(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

function facing(caption: string, facts: readonly (readonly [string, Piece])[]): Html {
  const rows = facts.map(([name, value]) => ({ name, cells: [value] }));
  return table({ caption, columns: words("Name", "Value"), rows });
}

/** Nested values as one list with dotted names. */
export function flat(value: unknown, prefix = ""): [string, string][] {
  if (value === null || typeof value !== "object") {
    return [[prefix, json(value)]];
  }
  if (Array.isArray(value)) return [[prefix, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([name, inner]) =>
    flat(inner, prefix === "" ? name : `${prefix}.${name}`),
  );
}

function code(text: string): Html {
  return html`<code>${text}</code>`;
}
