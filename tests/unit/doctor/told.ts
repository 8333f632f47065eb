import type { UserError } from "../../../infra/contracts/errors";

/** What findings say is wrong, a line each; nothing for none. Each has a reason and a cure. */
export function told(errors: readonly UserError[]): string {
  for (const { what, why, fix } of errors) {
    if (!what || !why || !fix) throw new Error(`a finding lacks a part: ${what}/${why}/${fix}`);
  }
  return errors.map(({ what }) => what).join("\n");
}
