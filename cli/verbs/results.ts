import { moment, number, shortened } from "../../report/format";
import { plain } from "../../report/html";
import { readHistory, type Attempt } from "../../results/history";
import { historyFile } from "../../results/records";
import { textTable } from "../terminal/lines";
import { verb } from "../verb";

export const results = verb({
  summary: "list the attempts of all runs, even after the stack was destroyed",
  positionals: [
    {
      name: "run | engine | workload",
      optional: true,
      multiple: true,
      help: "only the attempts of these, e.g. spark/taxi-report",
    },
  ],
  options: {
    json: { type: "boolean", help: "prints one JSON array, the oldest attempt first" },
  },
  async run({ stack, positionals, options }) {
    const { attempts, unreadable } = readHistory(stack);
    const found = attempts.filter((attempt) => isMeant(attempt, positionals));
    if (unreadable > 0) {
      console.error(`${unreadable} lines of ${historyFile(stack)} cannot be read and are left out`);
    }
    if (options.json) {
      console.log(JSON.stringify(found.map(asJson), undefined, 2));
    } else if (attempts.length === 0) {
      console.log(`stack ${stack} has no results yet`);
    } else if (found.length === 0) {
      console.log(
        `no attempt of ${positionals.join(", ")}; there are ${attempts.length} of other runs`,
      );
    } else {
      for (const line of resultLines(found)) console.log(line);
    }
    return 0;
  },
});

function isMeant({ run, engine, workload }: Attempt, names: readonly string[]): boolean {
  return names.length === 0 || names.some((name) => [run, engine, workload].includes(name));
}

/** The list for people: one line an attempt. */
export function resultLines(attempts: readonly Attempt[]): string[] {
  const head = ["date (UTC)", "run", "key", "status", "median"];
  const more = ["samples", "device", "commit", "attempt"];
  return textTable([[...head, ...more], ...attempts.map(row)], ["median"]);
}

function row(attempt: Attempt): string[] {
  const date = moment(plain(attempt.at)).replace(" UTC", "");
  const [median, samples, device] =
    attempt.status !== "verified"
      ? ["-", shortened(plain(attempt.reason.split("\n")[0]), 60), "-"]
      : [`${number(attempt.median)} s`, spread(attempt), attempt.device];
  const { run, key, status } = attempt;
  return [date, run, key, status, median, samples, device, commit(attempt), attempt.attempt];
}

/** How far the counted samples are apart: `3 hot, 1.92 to 2.01 s, 1 disturbed`. */
export function spread(attempt: Extract<Attempt, { status: "verified" }>): string {
  const { counted, measured, basis } = attempt;
  const [min, max] = [Math.min(...measured), Math.max(...measured)];
  const disturbed = counted.filter((sample) => sample.disturbed).length;
  const marked = disturbed > 0 ? `, ${disturbed} disturbed` : "";
  return `${measured.length} ${basis}, ${number(min)} to ${number(max)} s${marked}`;
}

/** The commit of an attempt's code, marked where the checkout had uncommitted changes. */
export function commit(attempt: Attempt): string {
  const dirty = attempt.status === "verified" && attempt.dirty;
  return `${attempt.commit?.slice(0, 12) ?? "-"}${dirty ? "+" : ""}`;
}

function asJson(attempt: Attempt): Record<string, unknown> {
  const { run, key, status, at } = attempt;
  const common = { attempt: attempt.attempt, at, run, key, status, commit: attempt.commit ?? null };
  if (attempt.status !== "verified") {
    const { reason, log, published } = attempt;
    return { ...common, reason, log, published };
  }
  const { device, median, measured, samples, rowsIn, rows, rejected, checksum, dirty, inputs } =
    attempt;
  return {
    ...common,
    dirty,
    device,
    medianSeconds: median,
    minSeconds: Math.min(...measured),
    maxSeconds: Math.max(...measured),
    samples: samples.map(({ kind, seconds, disturbed, tries }) => ({
      kind,
      seconds,
      disturbed,
      tries: tries.map((one) => one.seconds),
    })),
    perSecond: rowsIn === undefined ? null : rowsIn / median,
    rows,
    rejected,
    checksum,
    inputs: inputs ?? null,
    host: attempt.host,
  };
}
