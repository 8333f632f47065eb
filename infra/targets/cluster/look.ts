import type { Settings } from "../../settings/schema";
import type { UserError } from "../../contracts/errors";

/** What a look at a cluster came to. */
export interface Look {
  readonly errors: readonly UserError[];
  /** What the whole of it offers, where runs take that. */
  readonly size?: Partial<Settings>;
}
