import { readProgress, readRecord } from "../../results/records";
import { goOn, stopWaiting } from "../../pipelines/turn";
import { Display } from "./display";
import { Interrupts } from "./interrupts";
import type { Watch } from "../runners/runner";
import type { Session } from "../session";

/**
 * Shows what a runner does on stdout while it does it, and passes the user's Ctrl-C on to it.
 *
 * @param work starts the runner
 */
export async function follow<T>(session: Session, work: (watch: Watch) => Promise<T>): Promise<T> {
  const { stack, runs, runner } = session;
  const display = new Display({
    screen: process.stdout,
    runs,
    progressOf: (run) => readProgress(stack, run),
    recordOf: (run) => readRecord(stack, run),
  });
  const interrupts = new Interrupts((what) => {
    display.say(what === "kill" ? "ending what runs" : stopWords(runner.name, display));
    stopWaiting(stack);
  });
  goOn(stack); // of a process that was killed, whose pid may be another's by now
  const deaf = interrupts.listen();
  display.start();
  try {
    return await work({
      onEvent: (event) => display.take(event),
      stop: interrupts.stop,
      kill: interrupts.kill,
    });
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
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const steps = count(inFlight, "step");
  const turns = waiting === 0 ? "" : `, without the ${count(waiting, "run")} still to come`;
  return runner === "pulumi"
    ? `stopping: the Pulumi CLI ends the ${steps} in flight${turns}; Ctrl-C again waits 10 s at most`
    : `stopping: no new step starts, waiting for ${steps} in flight${turns}; Ctrl-C again ends them now`;
}
