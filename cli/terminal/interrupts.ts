/** Signals that come this close together are one: a terminal sends Ctrl-C, and npm once more. */
const sameWithin = 300;

/**
 * What the user's Ctrl-C means to a deployment. First: no new step starts, and those that run are
 * waited for. Second: they are ended too. Third: this process ends, whatever goes on.
 */
export class Interrupts {
  private readonly stopping = new AbortController();
  private readonly killing = new AbortController();
  private last = 0;

  /**
   * @param say is told what happens
   * @param exit ends the process; for tests
   */
  constructor(
    private readonly say: (what: "stop" | "kill") => void,
    private readonly exit: (code: number) => void = (code) => process.exit(code),
    private readonly now: () => number = Date.now,
  ) {}

  get stop(): AbortSignal {
    return this.stopping.signal;
  }

  get kill(): AbortSignal {
    return this.killing.signal;
  }

  /** Listens to the process's signals. @returns what ends that */
  listen(): () => void {
    const interrupt = () => this.interrupt();
    const terminate = () => this.terminate();
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", terminate);
    process.on("SIGHUP", terminate);
    return () => {
      process.off("SIGINT", interrupt);
      process.off("SIGTERM", terminate);
      process.off("SIGHUP", terminate);
    };
  }

  interrupt(): void {
    if (this.now() - this.last < sameWithin) return;
    this.last = this.now();
    if (this.kill.aborted) return this.exit(1);
    const what = this.stop.aborted ? "kill" : "stop";
    this.say(what);
    (what === "stop" ? this.stopping : this.killing).abort();
  }

  /** Who ends the process from outside does not ask twice. */
  terminate(): void {
    if (this.kill.aborted) return;
    this.say("kill");
    this.stopping.abort();
    this.killing.abort();
  }
}
