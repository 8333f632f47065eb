/**
 * Target cluster on two hosts of the test's own, beside a store of the test's own: nothing of Spark, Ray
 * or MinIO is the stack's, and the hosts have none of its files.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entries, filesWith, Watch } from "../e2e/exposure";
import {
  asFlags,
  checkout,
  freeOffset,
  onPath,
  small,
  TestStack,
  type Finished,
} from "../e2e/stack";
import { commandOf, Hosts, whyNoHosts } from "../hosts";

const minutes = (n: number) => n * 60_000;
const reason = whyNoHosts();
const withoutCli = onPath("pulumi") ? "" : " (skipped: the Pulumi CLI is not on PATH)";
const workloads = ["taxi-report", "image-predictions", "image-embeddings"];
const runs = ["spark", "ray", "daft"].flatMap((engine) =>
  workloads.map((workload) => `${engine}/${workload}`),
);
const data = { ...small, matrix: "full", runTimeoutSeconds: 300, profile: "false" };

interface Outputs {
  readonly runs: Readonly<
    Record<string, { status: string; checksum: string; key: string; reason?: string }>
  >;
}

describe.skipIf(reason !== undefined)(
  `two hosts${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    const local = new TestStack("embedded", freeOffset(16_000));
    // With this shell `npm run shell` tells what it was given.
    const stack = new TestStack("embedded", freeOffset(16_500), { SHELL: "/usr/bin/env" });
    const byCli = new TestStack("pulumi", freeOffset(17_000));
    let hosts: Hosts;
    let watch: Watch;
    let first: Outputs["runs"];
    let said = "";

    beforeAll(async () => {
      hosts = await Hosts.start({
        hidden: [checkout, local.home, stack.home, byCli.home],
        sparkWorkerMemory: "1g",
        rayObjectStoreBytes: 256 * 2 ** 20,
      });
      watch = new Watch(({ command, environment }) =>
        [stack.home, hosts.folder].some((own) => (command + environment).includes(own)),
      );
    }, minutes(15));

    afterAll(async () => {
      watch?.stop();
      for (const each of [stack, local, byCli]) {
        if (fs.existsSync(each.folder)) await each.run("destroy");
        fs.rmSync(each.home, { recursive: true, force: true });
      }
      hosts?.stop();
    }, minutes(5));

    function start(changes: Record<string, string | number> = {}) {
      return stack.begin(
        "start",
        ...["--runner", "embedded"],
        ...asFlags({
          ...data,
          portOffset: stack.portOffset,
          engines: "spark,ray,daft",
          daftRunner: "ray",
          ...hosts.settings,
          ...changes,
        }),
      );
    }

    async function expectVerified(up: Finished, of: readonly string[]): Promise<void> {
      expect(up.code, up.stdout + up.stderr).toBe(0);
      const outputs = await stack.outputs<Outputs>();
      for (const run of of) expect(outputs.runs[run].status, run).toBe("verified");
    }

    it(
      "verify all nine runs, with the checksums of target local",
      async () => {
        const up = await start({ profile: "true" }).finished;
        said = up.stdout + up.stderr;
        await expectVerified(up, runs);
        const plain = await local.start({
          ...data,
          portOffset: local.portOffset,
          engines: "polars,plain",
        });
        expect(plain.code, plain.stdout + plain.stderr).toBe(0);
        const here = (await local.outputs<Outputs>()).runs;
        first = (await stack.outputs<Outputs>()).runs;
        const checksums = new Map(
          Object.entries(here).map(([run, { checksum }]) => [run.split("/")[1], checksum]),
        );
        const expected = runs.map((run) => [run, checksums.get(run.split("/")[1])]);
        expect(runs.map((run) => [run, first[run].checksum])).toEqual(expected);
        expect(await stack.preview()).toEqual([]);
      },
      minutes(25),
    );

    it.each(runs)("say where the time of %s went, and what each of them used", (run) => {
      const { profile, configuration } = resultOf(stack, run);
      expect(configuration.memoryMeasure).toBe("driver");
      expect(profile.failed).toBeUndefined();
      expect(profile.bottleneck).toMatch(/^(read|decode|compute|shuffle|write|coordination)$/);
      expect(profile.stages?.some(({ seconds }) => seconds > 0)).toBe(true);
      expect(profile.nodes?.length).toBe(2);
      for (const { name, peakMemoryBytes, cpuSeconds } of profile.nodes ?? []) {
        expect(peakMemoryBytes, name).toBeGreaterThan(2 ** 20);
        expect(cpuSeconds, name).toBeGreaterThanOrEqual(0);
      }
    });

    it("are seen by status, and known to a shell", async () => {
      const { stdout } = await stack.run("status");
      for (const name of ["spark-master", "ray-dashboard", "object-store"]) {
        expect(stdout).toMatch(new RegExp(`^${name} +ANSWERS `, "m"));
      }
      const shell = await stack.run("shell");
      expect(shell.code, shell.stderr).toBe(0);
      const { sparkMaster, rayAddress } = hosts.settings;
      expect(shell.stdout).toContain(`SPARK_MASTER=${sparkMaster}\n`);
      expect(shell.stdout).toContain(`RAY_API_SERVER_ADDRESS=${rayAddress}\n`);
      said += shell.stdout;
    });

    it("tell no secret in arguments, state, logs, results or what is printed", async () => {
      watch.stop();
      const all = [...watch.seen.values()];
      for (const process of ["CoarseGrainedExecutorBackend", "ray::", "engine_comparison.job"]) {
        expect(
          all.some(({ command }) => command.includes(process)),
          process,
        ).toBe(true);
      }
      const telling = all.filter(({ command }) => hosts.secrets.some((s) => command.includes(s)));
      expect(telling.map(({ command }) => command)).toEqual([]);
      for (const secret of hosts.secrets) expect(said).not.toContain(secret);

      expect(tellingFiles(stack)).toEqual([]);
      // What the clusters themselves keep: their logs, and the files by which they were told.
      const logs = entries(hosts.folder).filter(({ folder, file }) => !folder && isLog(file));
      expect(logs.length).toBeGreaterThan(10);
      expect(filesWith(logs, hosts.secrets)).toEqual([]);

      const results = await hosts.store.client.listObjectsV2("output", "results/", true).toArray();
      expect(results.length).toBe(runs.length);
      for (const { name } of results as { name: string }[]) {
        const text = await read(name);
        for (const secret of hosts.secrets) expect(text.includes(secret), name).toBe(false);
      }
    });

    it.each([
      ["spark/taxi-report", /CoarseGrainedExecutorBackend/],
      ["spark/image-predictions", /CoarseGrainedExecutorBackend/],
      ["ray/taxi-report", /^ray::/],
      ["ray/image-predictions", /^ray::/],
      ["daft/taxi-report", /^ray::/],
      ["daft/image-predictions", /^ray::/],
    ])(
      "lose the second one in the middle of %s, and the result is right",
      async (run, worker) => {
        const [engine, workload] = run.split("/");
        // Samples enough to take some on one host.
        const long = { warmup: 1, repeats: 3, runTimeoutSeconds: 900 };
        const going = start({ engines: engine, workloads: workload, ...long });
        const progress = path.join(stack.folder, "runs", `${run}.progress.json`);
        let ended = false;
        void going.finished.then(() => (ended = true));
        const computes = () =>
          /"(first|hot) sample/.test(readOr(progress)) && hosts.processes(2, worker).length > 0;
        while (!ended && !computes()) await sleep(20);
        if (ended) {
          const { stdout, stderr } = await going.finished;
          throw new Error(`the run ended before the second host was lost: ${stdout}${stderr}`);
        }
        await sleep(500);
        hosts.kill();
        const done = await going.finished;
        await hosts.join(2);
        const after = (await stack.outputs<Outputs>()).runs[run];
        if (done.code !== 0) console.log(`${run}: ${after.reason}`);
        await expectVerified(done, [run]);
        expect(after.checksum).toBe(first[run].checksum);
      },
      minutes(20),
    );

    it.each([
      ["spark", () => stack.processes().filter((pid) => commandOf(pid).includes("SparkSubmit"))],
      ["ray", () => hosts.processes(1, /engine_comparison\.(job|driver)/)],
      ["daft", () => hosts.processes(1, /engine_comparison\.(job|driver)/)],
    ])(
      "keep the data out of %s's driver: ten times the trips take no more of its memory",
      async (engine, driver) => {
        const peaks: number[] = [];
        for (const taxiRows of [400_000, 4_000_000]) {
          let peak = 0;
          const look = () => (peak = Math.max(peak, ...driver().map(peakOf)));
          const timer = setInterval(look, 100);
          const up = await start({ engines: engine, workloads: "taxi-report", taxiRows }).finished;
          clearInterval(timer);
          await expectVerified(up, [`${engine}/taxi-report`]);
          peaks.push(peak);
        }
        console.log(`${engine}'s driver: ${peaks.map((peak) => peak >> 20).join(" and ")} MiB`);
        expect(peaks[0]).toBeGreaterThan(2 ** 25);
        // The trips' five columns alone are 160 MB in memory.
        expect(peaks[1]).toBeLessThan(peaks[0] + 80 * 2 ** 20);
      },
      minutes(8),
    );

    it.skipIf(withoutCli)(
      "serve a stack that the Pulumi CLI deploys, and its state tells no secret" + withoutCli,
      async () => {
        const up = await byCli.start({
          ...data,
          matrix: "seed",
          portOffset: byCli.portOffset,
          daftRunner: "ray",
          ...hosts.settings,
          bucketPrefix: "cli-",
        });
        expect(up.code, up.stdout + up.stderr).toBe(0);
        const made = Object.entries((await byCli.outputs<Outputs>()).runs);
        expect(made.map(([run, { status }]) => [run, status]).sort()).toEqual([
          ["daft/image-embeddings", "verified"],
          ["ray/image-predictions", "verified"],
          ["spark/taxi-report", "verified"],
        ]);
        const { checksum } = Object.fromEntries(made)["spark/taxi-report"];
        expect(checksum).toBe(first["spark/taxi-report"].checksum);
        expect(await byCli.preview()).toEqual([]);
        expect(tellingFiles(byCli)).toEqual([]);
        for (const secret of hosts.secrets) expect(up.stdout + up.stderr).not.toContain(secret);
        const destroy = await byCli.run("destroy");
        expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
      },
      minutes(15),
    );

    it(
      "keep nothing of a stack that is destroyed",
      async () => {
        const destroy = await stack.run("destroy");
        expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
        expect(await hosts.store.client.listBuckets()).toEqual([]);
        for (const host of [1, 2]) expect(hosts.processes(host, /engine_comparison/)).toEqual([]);
      },
      minutes(3),
    );

    /** The names of a stack's files that hold a secret, but for those that are for it. */
    function tellingFiles({ folder }: TestStack): string[] {
      const own = entries(folder).filter((entry) => !entry.folder);
      const kept = filesWith(own, hosts.secrets).map((file) => path.basename(file));
      return kept.filter((name) => !/^(credentials\.json|.*secret|.*token)$/.test(name));
    }

    async function read(name: string): Promise<string> {
      const parts: Buffer[] = [];
      for await (const part of await hosts.store.client.getObject("output", name)) {
        parts.push(part as Buffer);
      }
      return Buffer.concat(parts).toString();
    }
  },
);

interface Result {
  readonly configuration: { readonly memoryMeasure: string };
  readonly profile: {
    readonly failed?: string;
    readonly bottleneck?: string;
    readonly stages?: readonly { readonly seconds: number }[];
    readonly nodes?: readonly {
      readonly name: string;
      readonly peakMemoryBytes: number | null;
      readonly cpuSeconds: number | null;
    }[];
  };
}

/** What a run of a stack has on record. */
function resultOf({ folder }: TestStack, run: string): Result {
  const text = fs.readFileSync(path.join(folder, "runs", `${run}.record.json`), "utf8");
  return (JSON.parse(text) as { result: Result }).result;
}

const isLog = (file: string) => /\.(log|out|err)$|\/(stdout|stderr)$/.test(file);

/** The most memory that a process has had, in bytes. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readOr(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
