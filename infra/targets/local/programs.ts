import { UserError } from "../../contracts/errors";

/** A service as supervisord runs it. */
export interface Program {
  readonly name: string;
  readonly argv: readonly string[];
  /** All of the environment besides the allow-list that supervisord itself started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly log: string;
  /** How it is told to end. @default TERM */
  readonly stopSignal?: "TERM" | "KILL";
  /** How long it may take to end before it is killed. */
  readonly stopSeconds: number;
}

/** A section of supervisord's configuration; `%` is doubled, because it expands. */
function section(title: string, values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value.replace(/%/g, "%%")}`);
  return [`[${title}]`, ...lines, ""].join("\n");
}

/**
 * Quotes a word for supervisord's configuration, which has no way to escape a quote.
 *
 * @throws UserError for a word that cannot be written
 */
function quoted(word: string): string {
  if (/["\n\\]|\s[;#]/.test(word)) {
    throw new UserError(
      `the path or value ${JSON.stringify(word)} has a quote, a backslash, a line break or a comment sign in it`,
      "supervisord cannot be given such a word",
      "set ENGINE_COMPARISON_HOME and ENGINE_COMPARISON_CACHE to folders with plain names",
    );
  }
  return `"${word}"`;
}

/** The configuration file of one program. */
function conf(program: Program): string {
  const environment = Object.entries(program.env).map(
    ([name, value]) => `${name}=${quoted(value)}`,
  );
  return section(`program:${program.name}`, {
    command: program.argv.map(quoted).join(" "),
    directory: program.directory,
    environment: environment.join(","),
    autostart: "true",
    autorestart: "true",
    startsecs: "1",
    startretries: "3",
    stopsignal: program.stopSignal ?? "TERM",
    stopwaitsecs: String(program.stopSeconds),
    stopasgroup: "true",
    killasgroup: "true",
    redirect_stderr: "true",
    stdout_logfile: program.log,
    stdout_logfile_maxbytes: "10MB",
    stdout_logfile_backups: "1",
  });
}

export const programs = { section, conf };
