/**
 * An error that the user caused and can mend, told in three parts. Everything else that is thrown
 * is a bug of this project and keeps its stack trace.
 */
export class UserError extends Error {
  /**
   * @param what what is wrong, with the value that was found
   * @param why why it matters
   * @param fix what to do about it
   */
  constructor(
    readonly what: string,
    readonly why: string,
    readonly fix: string,
  ) {
    super(`${what}\n  why: ${why}\n  do:  ${fix}`);
    this.name = "UserError";
  }
}
