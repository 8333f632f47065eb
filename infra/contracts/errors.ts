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

/** One error, as a check's judgement. */
export function wrong(what: string, why: string, fix: string): UserError[] {
  return [new UserError(what, why, fix)];
}

/** Several errors as one, so that they are fixed in one go. */
export function together(errors: readonly UserError[]): UserError {
  if (errors.length === 1) return errors[0];
  const list = (part: "what" | "why" | "fix") =>
    errors.map((error) => error[part]).join("\n       ");
  return new UserError(list("what"), list("why"), list("fix"));
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

/** `npm run outputs`, `npm start` */
export function scriptOf(verb: string): string {
  return verb === "start" ? "npm start" : `npm run ${verb}`;
}

/** A command of this project on a stack, for messages: `npm run logs -- minio --stack two`. */
export function npm(stack: string, verb: string, ...args: readonly string[]): string {
  const all = [...args, ...(stack === "local" ? [] : ["--stack", stack])];
  return [scriptOf(verb), ...(all.length > 0 ? ["--", ...all] : [])].join(" ");
}

export function size(bytes: number): string {
  return bytes >= 2 ** 30
    ? `${(bytes / 2 ** 30).toFixed(1)} GiB`
    : `${Math.floor(bytes / 2 ** 20)} MiB`;
}
