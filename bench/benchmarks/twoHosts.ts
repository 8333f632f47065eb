import { checkout } from "../../infra/host/folders";
import { UserError } from "../../infra/contracts/errors";
import type { RunResult } from "../../results/result";
import { count, number } from "../../report/format";
import { Hosts, whyNoHosts } from "../../tests/hosts";
import type { Host, Measured, Sample } from "../harness";
import { tableOf, type Column, type Table } from "../render";
import type { Bench, Benchmark, BenchStack } from "../stack";

const engines = ["spark", "ray", "daft"];
const workloads = ["taxi-report", "image-predictions", "image-embeddings"];
/** Each number of hosts is deployed so often, in turn. */
const turns = 2;

/** In the place of how many were disturbed: none can be told apart as such. */
const coresAtWork: Column = {
  head: "cores at work",
  cell: (row) => number(row.coresAtWork),
  legend: "cores at work: CPU by the time it took, the median.",
};

export const twoHosts: Benchmark = {
  name: "two-hosts",
  what: "the engines on clusters of two hosts of a core each against one; takes root",
  onlyAsked: true,
  async run(bench) {
    const reason = whyNoHosts();
    if (reason !== undefined) {
      throw new UserError(reason, "the hosts are network namespaces", "see docs/cluster.md");
    }
    const sizes = { sparkWorkerMemory: "1g", rayObjectStoreBytes: 512 * 2 ** 20 };
    const hosts = await Hosts.start({ hidden: [checkout], ...sizes });
    try {
      const results = bench.stack.beside("hosts", (stack) => resultsOf(bench, stack, hosts));
      return hostTables(bench, await results);
    } finally {
      hosts.stop();
    }
  },
};

/** Every result, by workload and by how many hosts there were. */
async function resultsOf(bench: Bench, stack: BenchStack, hosts: Hosts) {
  const found = new Map<string, RunResult[]>();
  const data = { taxiRows: bench.rows[0], photos: bench.photos[0], repeats: bench.samples ?? 4 };
  for (let turn = 0; turn < turns; turn++) {
    for (const number of [1, 2]) {
      if (number === 1) await hosts.lose();
      else await hosts.join(2);
      const others = { engines: engines.join(","), daftRunner: "ray", workloads: "" };
      await stack.start({ ...hosts.settings, ...others, ...data });
      for (const workload of workloads) {
        for (const engine of engines) {
          const group = `${workload} ${engine} ${number}`;
          const result = stack.result(`${engine}/${workload}`);
          found.set(group, [...(found.get(group) ?? []), result]);
        }
      }
    }
  }
  return found;
}

/**
 * A table for each workload.
 *
 * @param found results of all deployments by `<workload> <engine> <number of hosts>`
 */
export function hostTables(
  bench: Pick<Bench, "rows" | "photos" | "note">,
  found: ReadonlyMap<string, readonly RunResult[]>,
): Table[] {
  bench.note(
    "CPU is all that the machine's cores did during the sample: the hosts', the driver's and the store's, " +
      "which share the two cores; peak memory is the driver's alone, or what submits the job. Each try is a " +
      "sample, as none is told apart as disturbed. Samples of " +
      `${turns} deployments each, in turn; times: two hosts against one.`,
  );
  return workloads.map((workload) => {
    const [amount, unit] =
      workload === "taxi-report" ? [bench.rows[0], "trips"] : [bench.photos[0], "photos"];
    const contenders = engines.flatMap((engine) =>
      [1, 2].map((number) =>
        measured(nameOf(engine, number), found.get(`${workload} ${engine} ${number}`)!, engine),
      ),
    );
    const host = found.get(`${workload} ${engines[0]} 1`)![0].host as Host;
    const title = `${workload}, ${count(amount)} ${unit}, one host and two`;
    return tableOf({ title, rounds: turns, contenders, host }, coresAtWork);
  });
}

const nameOf = (engine: string, hosts: number) =>
  `${engine}, ${hosts === 1 ? "one host" : "two hosts"}`;

function measured(name: string, results: readonly RunResult[], engine: string) {
  const samples = results
    .flatMap((result) => result.samples as readonly unknown[] as Sample[])
    .flatMap(triesOf);
  const [{ startUpSeconds, versions, checksum }] = results;
  const all: Measured = {
    name,
    startUpSeconds: startUpSeconds as number,
    versions: versions as Record<string, string>,
    samples,
    peakMemoryBytes: Math.max(...results.map((result) => result.peakMemoryBytes as number)),
    verified: { checksum },
  };
  return { ...all, against: [nameOf(engine, 1)] };
}

/**
 * Every try as a sample of its own. To the driver, what the hosts compute is others': it takes all of its
 * hot samples for disturbed and repeats them, and none of the tries is better than another.
 */
function triesOf({ kind, tries, ...only }: Sample): Sample[] {
  return (tries ?? [only]).map(({ totalSeconds, cpuSeconds, othersCpuSeconds }) => ({
    kind,
    totalSeconds,
    cpuSeconds: cpuSeconds + othersCpuSeconds,
    othersCpuSeconds: 0,
    disturbed: false,
  }));
}
