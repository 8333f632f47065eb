/**
 * An error that the user caused and can fix, in three parts. Everything else that is thrown
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

/** Turns a full disk, which is nobody's bug, into a user's error; any other error is returned as it is. */
export function explainFullDisk(error: unknown): unknown {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new UserError(
    `no space is left on the disk${path ? ` of ${path}` : ""} (${message})`,
    "nothing more can be written; what was there before is as it was",
    "make room (`npm run caches` shows what the caches hold), then run the same command again",
  );
}

/** As many characters of a value as are shown. */
const maxShown = 200;

/**
 * A value as it is shown to people: in quotes on one line, without what a terminal would act on, and
 * a long one cut short.
 */
export function quoted(text: string): string {
  const shown = text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
  return JSON.stringify(shown).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (unseen) => `\\u{${unseen.codePointAt(0)!.toString(16)}}`,
  );
}
