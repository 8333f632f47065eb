import { isReference, ratiosOf, type Against } from "../../results/comparison";
import { percent, plural, seconds } from "../format";
import { html, type Html, type Piece } from "../html";
import {
  disturbedAbove,
  isFailed,
  isVerified,
  type Outcome,
  type Verified,
} from "../../results/outcome";
import { lack, ratioText, table, words } from "../table";
import { byEngineOrder, engineColor, engineName, engineNamed } from "../words";

/** The runs of one workload, and the id of its section on the page. */
export interface Group {
  readonly workload: string;
  readonly outcomes: readonly Outcome[];
  readonly id: string;
}

/** Every run in one table, engines by workloads, and what failed, before anything else. */
export function overview(groups: readonly Group[]): Html {
  const all = groups.flatMap(({ outcomes }) => outcomes);
  const engines = [...new Set(all.map(({ engine }) => engine))].sort(byEngineOrder);
  const columns = groups.map(({ workload, outcomes }) => {
    const byEngine = new Map(outcomes.map((run) => [run.engine, run]));
    const ratios = ratiosOf(outcomes);
    const longest = Math.max(0, ...outcomes.filter(isVerified).map(({ median }) => median));
    return (engine: string) => {
      const can = engineNamed(engine)?.workloads.includes(workload) ?? true;
      return cell(byEngine.get(engine), can, ratios?.get(engine), longest);
    };
  });
  return html`<section id="glance" aria-labelledby="glance-heading" class="glance">
    <h2 id="glance-heading">At a glance</h2>
    ${table({
      caption: "Steady: median seconds of a hot sample, and how many times the reference's that is",
      columns: words(
        "Engine",
        ...groups.map(({ workload, id }) => html`<a href="#${id}">${workload}</a>`),
      ),
      rows: engines.map((engine) => ({
        name: engineName(engine),
        cells: columns.map((column) => column(engine)),
      })),
    })}
    ${failures(all)} ${disturbance(all.filter(isVerified))}
  </section>`;
}

function cell(
  outcome: Outcome | undefined,
  can: boolean,
  against: Against | undefined,
  longest: number,
): Piece {
  if (!outcome) return html`<span class="quiet">${can ? "not asked for" : "does not do it"}</span>`;
  if (!isVerified(outcome)) return lack(outcome.status);
  const ratio = against && (isReference(outcome) ? "the reference" : ratioText(against));
  return html`<strong>${seconds(outcome.median)}</strong>
    <span class="quiet"
      >${outcome.basis === "first" && "first sample; "}${
        outcome.state === "still warming" && "still warming; "
      }${ratio}</span
    >
    ${bar(outcome, longest)}`;
}

/** As long as the median is, from 0, against the longest of the column. */
function bar({ engine, median }: Verified, longest: number): Html {
  const share = longest > 0 ? (100 * median) / longest : 0;
  const style = `width:${share.toFixed(2)}%;background:${engineColor(engine)}`;
  return html`<span class="bar" aria-hidden="true" style="${style}"></span>`;
}

/** A warning where the figures are those of a busy machine. */
function disturbance(verified: readonly Verified[]): Piece {
  const counted = verified.flatMap((run) => run.counted);
  const disturbed = counted.filter((sample) => sample.disturbed).length;
  return (
    disturbed > 0 &&
    html`<p class="note">
      During ${disturbed} of the ${plural(counted.length, "sample")} behind these figures others
      used more than ${percent(disturbedAbove)} of the machine. Read them with care (<a
        href="#method"
        >how this was measured</a
      >).
    </p>`
  );
}

function failures(all: readonly Outcome[]): Piece {
  const failed = all.filter(isFailed);
  return (
    failed.length > 0 &&
    html`<div class="alert">
      <h3>What failed</h3>
      <ul>
        ${failed.map(
          ({ run, status, reason, log, published }) =>
            html` <li>
              <strong>${run}</strong>: ${status === "failed" ? "" : `${status}: `}${reason}<br />
              <span class="quiet"
                >log: <code>${log ?? "none"}</code>;
                ${
                  published === null
                    ? "nothing is published"
                    : html`still published, and not shown here: <code>${published}</code>`
                }</span
              >
            </li>`,
        )}
      </ul>
    </div>`
  );
}
