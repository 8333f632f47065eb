/** An error that the user can fix, in three parts. A host of this package shows it in its own way. */
export class EmbeddedError extends Error {
  /**
   * @param what what is wrong, with the value that was found
   * @param why why it matters
   * @param fix what to do about it
   * @param stateLost whether the user has to delete by hand what the stack has made
   */
  constructor(
    readonly what: string,
    readonly why: string,
    readonly fix: string,
    readonly stateLost = false,
  ) {
    super(`${what}\n  why: ${why}\n  do:  ${fix}`);
    this.name = "EmbeddedError";
  }
}

/** The program or the state does not allow a step; this ends the deployment. */
export class Refusal extends Error {}

/** The deployment ended before this was carried out. */
export class Stopped extends Error {}
