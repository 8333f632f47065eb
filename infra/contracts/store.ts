import type { BucketPurpose, ObjectStore } from "./platform";
import type { Conflict } from "./target";

/** Where buckets are: all that is asked of a kind of object store. Members load what they need. */
export interface Store<Settings, Credentials = unknown> {
  /** The value of setting `objectStore`. */
  readonly name: string;
  /** The page about it, relative to the checkout. */
  readonly docs: string;
  /** Whether it is somewhere else: otherwise the target starts it beside the other services. */
  readonly external: boolean;
  /** Which settings do not go together with it. */
  rules(settings: Settings): readonly Conflict[];
  /**
   * Looks at an external store; writes nothing.
   *
   * @param id the stack's id; undefined before its first up
   * @returns what declares it
   * @throws UserError with what is in the way
   */
  prepare?(
    settings: Settings,
    stack: string,
    id: string | undefined,
  ): Promise<(credentials: Credentials) => ObjectStore>;
  /**
   * Looks at data that was there before the stack. @default the store cannot have such data
   *
   * @returns a hash that changes when any object does
   * @throws UserError where there is nothing, or the stack itself has put it there
   */
  existing?(
    settings: Settings,
    purpose: BucketPurpose,
    prefixes: readonly string[],
  ): Promise<{ readonly hash: string }>;
}
