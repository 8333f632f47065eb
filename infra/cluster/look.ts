import type { Settings } from "../settings";
import type { UserError } from "../userError";

/** What a look at a cluster came to. */
export interface Look {
  readonly errors: readonly UserError[];
  /** What the whole of it offers, where runs take that. */
  readonly size?: Partial<Settings>;
}
