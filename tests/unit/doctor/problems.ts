import type { UserError } from "../../../infra/contracts/errors";

/** What errors say is wrong, a line each; nothing for none. Each has a reason and a fix. */
export function problems(errors: readonly UserError[]): string {
  for (const { what, why, fix } of errors) {
    if (!what || !why || !fix) throw new Error(`an error lacks a part: ${what}/${why}/${fix}`);
  }
  return errors.map(({ what }) => what).join("\n");
}
