import { shortened } from "../format";
import { html, type Html } from "../html";
import type { Failed, NotRun } from "../../results/outcome";

/** Letters of a reason in a table; all of it is at the top of the page. */
const longest = 300;

/** In the place of a figure: that there is none, and why. */
export function absent(outcome: Failed | NotRun): Html {
  return outcome.status === "failed"
    ? html`<strong class="failed">✕ failed</strong>
        <span class="failed">${shortened(outcome.reason, longest)}</span>`
    : html`<span class="failed">– no outcome</span>`;
}
