import { readProgress, readRecord } from "../../results/records";
import { plural } from "../../report/format";
import { goOn, stopWaiting } from "../../pipelines/turn";
import { Display } from "./display";
import type { Watch } from "../runners/runner";
import type { Session } from "../session";

/** Shows what a runner does on stdout while it does it, and passes the user's Ctrl-C on to it. */
export async function follow<T>(session: Session, work: (watch: Watch) => Promise<T>): Promise<T> {
  const { stack, runs, runner } = session;
  const display = new Display({
    screen: process.stdout,
    runs,
    progressOf: (run) => readProgress(stack, run),
    recordOf: (run) => readRecord(stack, run),
  });
  const interrupts = new Interrupts((what) => {
    display.say(what === "kill" ? "ending the steps in flight" : stopWords(runner.name, display));
    stopWaiting(stack);
  });
  goOn(stack); // of a process that was killed, whose pid may be another's by now
  const deaf = interrupts.listen();
  display.start();
  try {
    const { stop, kill } = interrupts;
    return await work({ onEvent: (event) => display.take(event), stop, kill });
  } finally {
    display.end();
    deaf();
    goOn(stack);
  }
}

/** The CLI ends its commands when it is interrupted; the embedded runner waits for them. */
function stopWords(
  runner: "pulumi" | "embedded",
  { inFlight, waiting }: Pick<Display, "inFlight" | "waiting">,
): string {
  const steps = plural(inFlight, "step");
  const turns = waiting === 0 ? "" : `, without the ${plural(waiting, "run")} still to come`;
  return runner === "pulumi"
    ? `stopping: the Pulumi CLI ends the ${steps} in flight${turns}; Ctrl-C again waits 10 s at most`
    : `stopping: no new step starts, waiting for ${steps} in flight${turns}; Ctrl-C again ends them now`;
}

/** Signals that come this close together are one: a terminal sends Ctrl-C, and npm once more. */
const sameWithin = 300;

/**
 * What the user's Ctrl-C means to a deployment. First: no new step starts, and those that run are
 * waited for. Second: they are ended too. Third: this process ends, whatever goes on.
 */
export class Interrupts {
  private readonly stopping = new AbortController();
  private readonly killing = new AbortController();
  readonly stop = this.stopping.signal;
  readonly kill = this.killing.signal;
  private last = 0;

  constructor(private readonly say: (what: "stop" | "kill") => void) {}

  /** Listens to the process's signals. @returns what ends that */
  listen(): () => void {
    const interrupt = () => this.interrupt();
    const terminate = () => this.terminate();
    const heard = { SIGINT: interrupt, SIGTERM: terminate, SIGHUP: terminate };
    for (const [signal, listener] of Object.entries(heard)) process.on(signal, listener);
    return () => {
      for (const [signal, listener] of Object.entries(heard)) process.off(signal, listener);
    };
  }

  interrupt(): void {
    if (Date.now() - this.last < sameWithin) return;
    this.last = Date.now();
    if (this.kill.aborted) return process.exit(1);
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
