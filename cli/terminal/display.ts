import type { RunProgress } from "../../results/records";
import type { RunRecord } from "../../results/result";
import { isTold, phaseWords, seconds, stepLines } from "./lines";
import type { StepEvent } from "../runners/runner";

/** Where lines go: a stream such as `process.stdout`. */
interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

interface DisplayArgs {
  readonly screen: Screen;
  /** Names of the stack's runs, in the order in which they are carried out. */
  readonly runs: readonly string[];
  readonly progressOf: (run: string) => RunProgress | undefined;
  readonly recordOf: (run: string) => RunRecord | undefined;
}

/** Without a terminal, silence longer than this is broken by a line that says what goes on. */
const longestSilence = 30_000;
const pollEvery = 1_000;
/** A runner may report this late that a step has begun. */
const toldWithin = 1_000;

/**
 * Shows a deployment while it goes on: one line a step that has ended and one a phase of a run that
 * has begun. On a terminal, a last line that is rewritten says what goes on.
 */
export class Display {
  /** Names of steps that have begun, with when. */
  private readonly begun = new Map<string, number>();
  private readonly ended = new Set<string>();
  /** Runs that are not repeated. All others are, including those that have not begun. */
  private readonly unchanged = new Set<string>();
  private readonly phases = new Map<string, string>();
  private lastLine = Date.now();
  private timer?: NodeJS.Timeout;

  constructor(private readonly args: DisplayArgs) {}

  /** Looks at the runs' progress every second from now on. */
  start(): void {
    this.timer = setInterval(() => this.poll(), pollEvery);
  }

  /** Leaves the screen as it is, without the rewritten line. */
  end(): void {
    clearInterval(this.timer);
    this.show([], "");
  }

  take(event: StepEvent): void {
    if (!("op" in event)) return this.show(stepLines(event));
    const { name, kind } = event;
    const isRun = this.args.runs.includes(name);
    if (isTold(event)) {
      if (kind === "start") this.begun.set(name, Date.now());
      else this.begun.delete(name);
      if (isRun && kind !== "start") this.ended.add(name);
    }
    if (isRun && event.op === "same" && event.type === "command:local:Command")
      this.unchanged.add(name);
    this.show(stepLines(event, isRun ? this.args.recordOf(name) : undefined));
  }

  /** How many steps have begun and not ended, without runs that wait for their turn. */
  get inFlight(): number {
    return this.begun.size - this.waiting;
  }

  get waiting(): number {
    return this.going().filter(({ progress }) => isWaiting(progress)).length;
  }

  say(line: string): void {
    this.show([line]);
  }

  /** Tells the phases that have begun since the last look. */
  poll(): void {
    const news = this.going().flatMap(({ run, progress, line }) => {
      if (this.phases.get(run) === progress.phase) return [];
      this.phases.set(run, progress.phase);
      return isWaiting(progress) ? [] : [line];
    });
    const silent = Date.now() - this.lastLine >= longestSilence;
    const still = this.args.screen.isTTY || !silent ? "" : this.status();
    this.show(news.length === 0 && still ? [`in progress: ${still}`] : news);
  }

  /** The runs that are going on, with a line such as `spark/taxi-report 2 of 12: sample 2/3, 41 s`. */
  private going(): { run: string; progress: RunProgress; line: string }[] {
    const { runs } = this.args;
    const of = runs.length - this.unchanged.size;
    return runs
      .filter((run) => this.begun.has(run))
      .flatMap((run) => {
        const progress = this.progressOf(run);
        if (!progress) return [];
        const place = `${this.ended.size + 1} of ${of}`;
        return [{ run, progress, line: `${run} ${place}: ${phaseWords(progress, Date.now())}` }];
      });
  }

  /**
   * What a run, or another step that takes long, says of itself; what it said in an earlier, killed
   * attempt is older than its step.
   */
  private progressOf(name: string): RunProgress | undefined {
    const begun = this.begun.get(name);
    if (begun === undefined) return undefined;
    const progress = this.args.progressOf(name);
    return progress && Date.parse(progress.since) > begun - toldWithin ? progress : undefined;
  }

  /** What goes on, with how long it has been. */
  private status(): string {
    const elapsed = (since: number) => seconds((Date.now() - since) / 1000, 0);
    const runs = this.going().filter(({ progress }) => !isWaiting(progress));
    if (runs.length > 0) return runs.map(({ line }) => line).join("; ");
    const words = (name: string) => {
      const progress = this.progressOf(name);
      return progress ? `${name} ${progress.phase}` : name;
    };
    return [...this.begun].map(([name, since]) => `${words(name)} (${elapsed(since)})`).join(", ");
  }

  private show(lines: readonly string[], status = this.status()): void {
    if (lines.length > 0) this.lastLine = Date.now();
    const { screen } = this.args;
    const text = lines.map((line) => `${line}\n`).join("");
    if (!screen.isTTY) {
      if (text) screen.write(text);
      return;
    }
    screen.write(`\r\x1b[2K${text}${status.slice(0, (screen.columns || 80) - 1)}`);
  }
}

function isWaiting({ began }: RunProgress): boolean {
  return began === undefined;
}
