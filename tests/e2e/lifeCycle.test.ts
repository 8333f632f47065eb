import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../../infra/folders";
import { checkout, eventually, listens, onPath, small, TestStack, type PreviewStep } from "./stack";

const runs = ["spark/taxi-report", "ray/image-predictions", "daft/image-embeddings"];

interface Outputs {
  readonly minioEndpoint: string;
  readonly sparkUiUrl: string;
  readonly runs: Readonly<Record<string, { status: string; key: string; rows: number }>>;
}

interface Service {
  readonly name: string;
  readonly pid?: number;
}

const nameOf = ({ urn }: PreviewStep) => urn.slice(urn.lastIndexOf("::") + 2);

const withoutCli = onPath("pulumi") ? "" : " (skipped: the Pulumi CLI is not on PATH)";

describe.each([
  ["the embedded runner", { runner: "embedded", portOffset: 21_000, skip: false }],
  [`the Pulumi CLI${withoutCli}`, { runner: "pulumi", portOffset: 18_000, skip: !!withoutCli }],
] as const)("the life of a stack, by %s", (_, { runner, portOffset, skip }) => {
  const test = skip ? it.skip : it;
  const minutes = (n: number) => n * 60_000;
  const stack = new TestStack(runner, portOffset);
  let first: Outputs;

  afterAll(async () => {
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
      const up = await stack.start({ ...small, portOffset });
      expect(up.code, up.stdout + up.stderr).toBe(0);
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
    const { minioRootUser, minioRootPassword } = stack.credentials();
    const answer = readBack(stack, {
      store: {
        endpoint: first.minioEndpoint,
        accessKey: minioRootUser,
        secretKey: minioRootPassword,
      },
      fareAbove: 30,
      photos: small.photos,
    });
    expect(answer.wrong).toEqual([]);
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

  test("no secret is in the state, logs, records or arguments", () => {
    const { minioRootPassword, sparkSecret, rayToken } = stack.credentials();
    const secrets = [minioRootPassword, sparkSecret, rayToken];
    const own = new Set(["credentials.json", "passphrase"]);
    const leaks = filesUnder(stack.folder)
      .filter((file) => (fs.statSync(file).mode & 0o077) !== 0 && !own.has(path.basename(file)))
      .filter((file) => secrets.some((secret) => fs.readFileSync(file).includes(secret)));
    expect(leaks).toEqual([]);
    const commands = stack.processes().map((pid) => readOr(`/proc/${pid}/cmdline`));
    expect(commands.filter((line) => secrets.some((secret) => line.includes(secret)))).toEqual([]);
  });

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
      expect(diff).toContainEqual(
        expect.objectContaining({ path: "triggers[0].fareAbove", old: "30", new: "40" }),
      );
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

function readBack(stack: TestStack, spec: unknown): { wrong: string[] } {
  const standing = path.join(stack.folder, "standing", "python.json");
  const { result } = JSON.parse(fs.readFileSync(standing, "utf8")) as { result: { entry: string } };
  const python = path.join(cacheFolder(), result.entry, "bin", "python");
  const answer = execFileSync(python, [path.join(checkout, "tests/e2e/readBack.py")], {
    input: JSON.stringify(spec),
    encoding: "utf8",
  });
  return JSON.parse(answer) as { wrong: string[] };
}

function filesUnder(folder: string): string[] {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return filesUnder(name);
    return entry.isFile() ? [name] : [];
  });
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
