import { html, type Html } from "../html";
import type { Failed, NotRun } from "../outcome";

/** In the place of a figure: that there is none, and why. */
export function absent(outcome: Failed | NotRun): Html {
  return outcome.status === "failed"
    ? html`<strong class="failed">✕ failed</strong> <span class="failed">${outcome.reason}</span>`
    : html`<span class="failed">– no outcome</span>`;
}
