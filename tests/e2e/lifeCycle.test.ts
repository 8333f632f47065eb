import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { listeners } from "../../infra/targets/local/place";
import { findJava } from "../../infra/host/runtimes";
import { shortFolder } from "../../infra/stack/files";
import { crawl, entries, filesWith, Watch } from "./exposure";
import { pythonOf, readBack } from "./readBack";
import {
  asFlags,
  checkout,
  eventually,
  freeOffset,
  listens,
  onPath,
  small,
  TestStack,
  type PreviewStep,
} from "./stack";

const runs = ["spark/taxi-report", "ray/image-predictions", "daft/image-embeddings"];

interface Outputs {
  readonly minioEndpoint: string;
  readonly minioConsoleUrl: string;
  readonly sparkUiUrl: string;
  readonly rayDashboardUrl: string;
  readonly runs: Readonly<Record<string, { status: string; key: string; rows: number }>>;
}

interface Service {
  readonly name: string;
  readonly pid?: number;
}

const nameOf = ({ urn }: PreviewStep) => urn.slice(urn.lastIndexOf("::") + 2);

const withoutCli = onPath("pulumi") ? "" : " (skipped: the Pulumi CLI is not on PATH)";

describe.each([
  ["the embedded runner", { runner: "embedded", portOffset: freeOffset(21_000), skip: false }],
  [
    `the Pulumi CLI${withoutCli}`,
    { runner: "pulumi", portOffset: freeOffset(18_000), skip: !!withoutCli },
  ],
] as const)("the life of a stack, by %s", (_, { runner, portOffset, skip }) => {
  const test = skip ? it.skip : it;
  const minutes = (n: number) => n * 60_000;
  /** A secret of the shell in which the stack is made, which is nobody else's business. */
  const foreign = `foreign-${randomBytes(8).toString("hex")}`;
  const stack = new TestStack(runner, portOffset, { AWS_SECRET_ACCESS_KEY: foreign });
  const watch = new Watch(({ command, environment }) =>
    (command + environment).includes(stack.home),
  );
  let first: Outputs;
  let said = "";

  /** What the stack is protected by. */
  function secrets(): string[] {
    const { minioRootPassword, sparkSecret, rayToken } = stack.credentials();
    const passphrase = fs.readFileSync(path.join(stack.folder, "passphrase"), "utf8").trim();
    return [minioRootPassword, sparkSecret, rayToken, passphrase];
  }

  afterAll(async () => {
    watch.stop();
    if (fs.existsSync(stack.folder)) await stack.run("destroy");
    fs.rmSync(stack.home, { recursive: true, force: true });
  }, minutes(3));

  /** Ends a service's process, and nothing else. */
  async function kill(service: string): Promise<number> {
    const { stdout } = await stack.run("status", "--json");
    const { services } = JSON.parse(stdout) as { services: Service[] };
    const pid = services.find(({ name }) => name === service)?.pid;
    expect(pid, service).toBeTypeOf("number");
    process.kill(pid!, "SIGKILL");
    return pid!;
  }

  test(
    "up from nothing gives three verified runs",
    async () => {
      const up = await stack.start({ ...small, portOffset, network: "10ms" });
      watch.stop();
      said = up.stdout + up.stderr;
      expect(up.code, said).toBe(0);
      first = await stack.outputs<Outputs>();
      expect(Object.keys(first.runs).sort()).toEqual([...runs].sort());
      for (const run of runs) expect(first.runs[run].status, run).toBe("verified");
      expect(first.minioEndpoint).toBe(`http://127.0.0.1:${9000 + portOffset}`);
    },
    minutes(30),
  );

  test("doctor finds nothing wrong", async () => {
    const { code, stdout, stderr } = await stack.run("doctor");
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain("nothing wrong was found");
  });

  test("other code reads the same from the store", () => {
    expect(readBack(stack, { ...first, fareAbove: 30, photos: small.photos })).toEqual([]);
  });

  test(
    "a second up changes nothing",
    async () => {
      expect(await stack.preview()).toEqual([]);
      const quiet = await stack.run("preview", "--expect-no-changes");
      expect(quiet.code, quiet.stdout + quiet.stderr).toBe(0);
      const up = await stack.start();
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect((await stack.outputs<Outputs>()).runs).toEqual(first.runs);
    },
    minutes(2),
  );

  describe("no secret of the stack", () => {
    test("is in the arguments of a process, from the first on", () => {
      const all = [...watch.seen.values()];
      expect(all.some(({ command }) => command.includes("CoarseGrainedExecutorBackend"))).toBe(
        true,
      );
      expect(all.some(({ command }) => command.startsWith("ray::"))).toBe(true);
      const telling = all.filter(({ command }) =>
        [...secrets(), foreign].some((s) => command.includes(s)),
      );
      expect(telling.map(({ command }) => command)).toEqual([]);
    });

    test("is in the environment of one, but for Spark's in its executors'", () => {
      const all = [...watch.seen.values()];
      const executors = all.filter(({ command }) =>
        /CoarseGrainedExecutorBackend|-m pyspark\.daemon/.test(command),
      );
      // An executor's short-lived commands (Hadoop tries setsid) inherit what it has.
      const own = new Set(executors.map(({ pid }) => pid));
      const told = all.flatMap(({ pid, parent, command, environment }) =>
        environment
          .split("\0")
          .filter((variable) => secrets().some((secret) => variable.includes(secret)))
          .map((variable) => ({ pid, parent, command, name: variable.split("=")[0] })),
      );
      expect(
        told.filter(
          ({ pid, parent, name }) =>
            name !== "_SPARK_AUTH_SECRET" || !(own.has(pid) || own.has(parent)),
        ),
      ).toEqual([]);
    });

    test("and none of the shell's is in the environment of a service or job", () => {
      // The program itself asks a Python which one it is: that is neither a service nor a job.
      const own = [...watch.seen.values()].filter(
        ({ command }) =>
          /^(\S*\/)?(python\S*|java|minio|raylet|gcs_server) |^ray::/.test(command) &&
          !/^\S+ -c import importlib\.util/.test(command),
      );
      expect(own.length).toBeGreaterThan(10);
      expect(
        own.filter(({ environment }) => environment.includes(foreign)).map((p) => p.command),
      ).toEqual([]);
      const all = [...watch.seen.values()];
      expect(all.some(({ environment }) => environment.includes(foreign))).toBe(true);
    });

    test("is in a file but those that are for it, and no file is anybody else's to read", () => {
      const files = [...entries(stack.folder), ...entries(shortFolderOf(stack))];
      expect(
        filesWith(files, secrets())
          .map((file) => path.relative(stack.folder, file))
          .sort(),
      ).toEqual([
        "credentials.json",
        "passphrase",
        "ray-token",
        "spark-secret",
        "supervisor/minio.env",
        "supervisor/spark-daemons.conf",
      ]);
      for (const { file, folder, mode } of files) {
        const secret = !folder && filesWith([{ file, folder, mode }], secrets()).length > 0;
        if (secret) expect(mode, file).toBe(0o600);
      }
      // What nobody else may enter, nobody else can read.
      for (const root of [stack.folder, shortFolderOf(stack)]) {
        expect(fs.statSync(root).mode & 0o777, root).toBe(0o700);
      }
    });

    test(
      "is in what is printed",
      async () => {
        const printed = [said];
        for (const args of [
          ["preview", "--diff", "--config", "fareAbove=31"],
          ["preview", "--json", "--config", "fareAbove="],
          ["outputs", "--json"],
          ["status", "--json"],
          ["results", "--json"],
          ["explain"],
          ["logs"],
        ]) {
          const done = await stack.run(args[0], ...args.slice(1));
          expect(done.stdout + done.stderr, args.join(" ")).not.toBe("");
          printed.push(done.stdout + done.stderr);
        }
        const all = [...secrets(), foreign];
        expect(printed.filter((text) => all.some((secret) => text.includes(secret)))).toEqual([]);
      },
      minutes(3),
    );

    test("is on a page of Spark's or Ray's", async () => {
      const { rayToken } = stack.credentials();
      const workers = Array.from(
        { length: 2 },
        (_, n) => `http://127.0.0.1:${8081 + portOffset + n}/`,
      );
      const spark = await crawl([
        first.sparkUiUrl,
        `${first.sparkUiUrl}/environment/`,
        `${first.sparkUiUrl}/json/`,
        ...workers,
      ]);
      expect([...spark.values()].join()).toContain("spark.authenticate");
      const kinds = ["jobs", "tasks", "actors", "workers", "nodes", "runtime_envs", "objects"];
      const ray = await crawl(
        [
          ...kinds.map((kind) => `${first.rayDashboardUrl}/api/v0/${kind}?detail=1&limit=1000`),
          `${first.rayDashboardUrl}/api/jobs/`,
          `${first.rayDashboardUrl}/nodes?view=summary`,
        ],
        { authorization: `Bearer ${rayToken}` },
      );
      expect(ray.get(`${first.rayDashboardUrl}/api/jobs/`)).toContain("driver_info");
      const telling = [...spark, ...ray].filter(([, page]) =>
        secrets().some((s) => page.includes(s)),
      );
      expect(telling.map(([address]) => address)).toEqual([]);
    });
  });

  test("nothing listens beyond loopback, nor where it is not said to", async () => {
    expect([...watch.open]).toEqual([]);
    // The master would take jobs without authentication there.
    expect(await listens(6066)).toBe(false);
    const known = new Set(listeners(portOffset, 2).map(({ port }) => port));
    expect(known.has(6066 + portOffset)).toBe(false);
    expect(await listens(6066 + portOffset)).toBe(false);
  });

  test(
    "who does not have the token is refused by Ray, and who does not have the secret by Spark",
    async () => {
      const jobs = `${first.rayDashboardUrl}/api/jobs/`;
      const submit = { method: "POST", body: JSON.stringify({ entrypoint: "true" }) };
      expect((await fetch(jobs)).status).toBe(401);
      expect((await fetch(jobs, submit)).status).toBe(401);
      const wrong = { headers: { authorization: `Bearer ${"0".repeat(64)}` } };
      expect((await fetch(jobs, { ...submit, ...wrong })).status).toBeGreaterThanOrEqual(401);
      const address = `127.0.0.1:${6379 + portOffset}`;
      const master = `spark://127.0.0.1:${7077 + portOffset}`;
      const at = (name: string) => path.join(stack.folder, name);
      expect(client(stack, "ray", address, at("ray-token"))).toBe("taken");
      expect(client(stack, "ray", address)).toMatch(/^refused: .*([Aa]uthenticat|connect)/);
      expect(client(stack, "spark", master, at("spark-secret"))).toBe("taken");
      expect(client(stack, "spark", master)).toMatch(/^refused: /);
    },
    minutes(4),
  );

  test(
    "one changed setting redoes exactly the runs that use it",
    async () => {
      const preview = await stack.run("preview", "--json", "--config", "fareAbove=40");
      expect(preview.code, preview.stderr).toBe(0);
      const steps = await stack.preview();
      expect(steps.map(nameOf).sort()).toEqual([
        "oracle-taxi-report",
        "report-page",
        "spark/taxi-report",
      ]);
      const diff = steps.find((step) => nameOf(step) === "spark/taxi-report")?.diff ?? [];
      expect(diff).toEqual([
        expect.objectContaining({ path: "triggers[0].fareAbove", old: "30", new: "40" }),
      ]);
      const up = await stack.start({ fareAbove: 40 });
      expect(up.code, up.stdout + up.stderr).toBe(0);
      const after = (await stack.outputs<Outputs>()).runs;
      expect(after["spark/taxi-report"].key).not.toBe(first.runs["spark/taxi-report"].key);
      for (const run of runs.slice(1)) expect(after[run]).toEqual(first.runs[run]);
      expect(await stack.preview()).toEqual([]);
    },
    minutes(8),
  );

  test(
    "a start that is killed in mid-run is finished by the next one",
    async () => {
      const { child, finished } = stack.begin(
        "start",
        ...["--runner", runner, ...asFlags({ fareAbove: 35 })],
      );
      const progress = path.join(stack.folder, "runs", "spark", "taxi-report.progress.json");
      await eventually("the engine starts", 120, () => readOr(progress).includes("start-up"));
      process.kill(-child.pid!, "SIGKILL");
      await finished;
      await eventually("its job has ended", 20, () => {
        const commands = stack.processes().map((pid) => readOr(`/proc/${pid}/cmdline`));
        return !commands.some((command) => command.includes("engine_comparison.job"));
      });
      const up = await stack.start({ fareAbove: 35 });
      expect(up.code, up.stdout + up.stderr).toBe(0);
      const outputs = await stack.outputs<Outputs>();
      expect(readBack(stack, { ...outputs, fareAbove: 35, photos: small.photos })).toEqual([]);
      expect(await stack.preview()).toEqual([]);
    },
    minutes(8),
  );

  test(
    "a killed service comes back by itself, and no run is redone for it",
    async () => {
      await kill("minio");
      await eventually("MinIO answers again", 30, async () => {
        const answer = await fetch(`${first.minioEndpoint}/minio/health/live`).catch(() => null);
        return answer?.ok ?? false;
      });
      expect(await stack.preview()).toEqual([]);
    },
    minutes(2),
  );

  test(
    "a killed supervisor shows in the preview and is repaired by up",
    async () => {
      await kill("supervisor");
      const doctor = await stack.run("doctor");
      expect(doctor.code, doctor.stdout + doctor.stderr).toBe(1);
      expect(doctor.stdout).toMatch(/^wrong {2}services: supervisor is DEAD$/m);
      const steps = await stack.preview();
      expect(steps.length).toBeGreaterThan(0);
      expect(new Set(steps.map(({ op }) => op))).toEqual(new Set(["update"]));
      expect(steps.map(nameOf).filter((name) => runs.includes(name))).toEqual([]);
      const up = await stack.start();
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(await stack.preview()).toEqual([]);
    },
    minutes(5),
  );

  test(
    "a wrong setting stops everything before a resource is touched",
    async () => {
      const up = await stack.start({ sparkWorkers: 0 });
      expect(up.code).toBe(2);
      expect(up.stderr + up.stdout).toContain("engine-comparison:sparkWorkers");
      expect(await stack.preview()).toEqual([]);
    },
    minutes(1),
  );

  test(
    "destroy leaves no process, port or data, with MinIO dead too, and can be repeated",
    async () => {
      await kill("minio");
      const destroy = await stack.run("destroy");
      expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
      await eventually("no process is left", 10, () => stack.processes().length === 0);
      for (const port of [9000, 9001, 7077, 8080, 6379, 8265, 10001]) {
        expect(await listens(port + portOffset), String(port)).toBe(false);
      }
      expect(fs.existsSync(path.join(stack.folder, "minio"))).toBe(false);
      expect(fs.existsSync(path.join(stack.folder, "credentials.json"))).toBe(false);
      expect(fs.existsSync(path.join(stack.folder, "history", "results.jsonl"))).toBe(true);
      const again = await stack.run("destroy");
      expect(again.code, again.stdout + again.stderr).toBe(0);
    },
    minutes(3),
  );
});

/** What a client of a cluster is told. @param shown a file with what lets it in, or nothing */
function client(
  stack: TestStack,
  kind: "ray" | "spark",
  address: string,
  ...shown: string[]
): string {
  const program = path.join(checkout, "tests/e2e/client.py");
  return execFileSync(pythonOf(stack), [program, kind, address, ...shown], {
    cwd: stack.home,
    env: { PATH: process.env.PATH, HOME: stack.home, JAVA_HOME: findJava().home },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

/** {@link shortFolder}, of a stack in the test's own home. */
function shortFolderOf(stack: TestStack): string {
  const before = process.env.ENGINE_COMPARISON_HOME;
  process.env.ENGINE_COMPARISON_HOME = stack.home;
  try {
    return shortFolder(stack.name);
  } finally {
    if (before === undefined) delete process.env.ENGINE_COMPARISON_HOME;
    else process.env.ENGINE_COMPARISON_HOME = before;
  }
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
