import { known, moment, number, seconds, shortened } from "../../report/format";
import { plain } from "../../report/html";
import { leftOut, readHistory, type Attempt } from "../../results/history";
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
    const history = readHistory(stack);
    const { attempts } = history;
    const found = attempts.filter((attempt) => isMeant(attempt, positionals));
    for (const line of leftOut(stack, history)) console.error(line);
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

export function resultLines(attempts: readonly Attempt[]): string[] {
  const head = ["date (UTC)", "run", "key", "status", "one-shot", "median"];
  const more = ["samples", "device", "commit", "attempt"];
  return textTable([[...head, ...more], ...attempts.map(row)], ["one-shot", "median"]);
}

function row(attempt: Attempt): string[] {
  const date = moment(plain(attempt.at)).replace(" UTC", "");
  const figures =
    attempt.status === "verified"
      ? [
          ...[known(attempt.oneShot, seconds, "-"), seconds(attempt.median)],
          ...[spread(attempt), attempt.device],
        ]
      : ["-", "-", shortened(plain(attempt.reason.split("\n")[0]), 60), "-"];
  const { run, key, status } = attempt;
  return [date, run, key, status, ...figures, commit(attempt), attempt.attempt];
}

/** How far the counted samples are apart: `3 hot, 1.92 to 2.01 s, still warming, 1 disturbed`. */
export function spread(attempt: Extract<Attempt, { status: "verified" }>): string {
  const { counted, measured, basis, forks, state } = attempt;
  const all = measured.flat();
  const disturbed = counted.filter((sample) => sample.disturbed).length;
  return [
    `${all.length} ${basis}${forks > 1 ? ` of ${forks} processes` : ""}`,
    `${number(Math.min(...all))} to ${number(Math.max(...all))} s`,
    ...(state === "still warming" ? [state] : []),
    ...(disturbed > 0 ? [`${disturbed} disturbed`] : []),
  ].join(", ");
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
  const { device, median, oneShot, state, samples, rowsIn, rows, rejected, checksum } = attempt;
  const { dirty, inputs } = attempt;
  const all = attempt.measured.flat();
  return {
    ...common,
    dirty,
    device,
    oneShotSeconds: oneShot ?? null,
    medianSeconds: median,
    minSeconds: Math.min(...all),
    maxSeconds: Math.max(...all),
    state,
    samples: samples.map(({ kind, fork, seconds, disturbed }) => {
      return { kind, fork, seconds, disturbed };
    }),
    perSecond: rowsIn === undefined ? null : rowsIn / median,
    rows,
    rejected,
    checksum,
    inputs: inputs ?? null,
    host: attempt.host,
  };
}
