import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { cacheFolder, checkout } from "../../infra/host/folders";

/** Seeds what is tried; `npm run test:long` draws one and says it. */
const seed = process.env.LONG_SEED ?? "1";
const minutes = (n: number) => n * 60_000;

function succeeds(program: string, args: readonly string[], env: Record<string, string>): boolean {
  const done = spawnSync(program, args, {
    cwd: checkout,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: minutes(40),
    killSignal: "SIGKILL",
  });
  return done.status === 0;
}

it.each([
  ["settings, through the parser and the command line", ["settings", "cli"]],
  [
    "programs, through the embedded runner, beside a model and what its commands say",
    ["embedded", "truth"],
  ],
])(
  "%s",
  (_, files) => {
    const vitest = path.join(checkout, "node_modules", ".bin", "vitest");
    const tests = files.map((file) => path.join("tests", "property", `${file}.test.ts`));
    const env = { FAST_CHECK_SEED: seed, FAST_CHECK_TIMES: "10" };
    expect(succeeds(vitest, ["run", ...tests], env)).toBe(true);
  },
  minutes(45),
);

it(
  "damaged Parquet and image files, through all engines",
  ({ skip }) => {
    const python = spawnSync(process.execPath, ["--import", "tsx", "tests/pythonEnvironment.ts"], {
      cwd: checkout,
      encoding: "utf8",
    }).stdout.trim();
    const [minio, jars] = [cached("minio", "minio"), cached("jars", "")];
    if (!minio || !jars)
      skip("a stack has to have left MinIO and the jars in the cache: npm start");
    const env = { MINIO_BIN: minio, SPARK_JARS: jars, MUTATIONS: "10", MUTATIONS_SEED: seed };
    const args = ["-m", "pytest", "-q", "tests/python/test_mutations.py"];
    expect(succeeds(python, args, env)).toBe(true);
  },
  minutes(45),
);

/** What a stack has left in the cache. */
function cached(kind: string, file: string): string {
  const folder = path.join(cacheFolder(), kind);
  const built = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return (
    built.map((key) => path.join(folder, key, file)).find((found) => fs.existsSync(found)) ?? ""
  );
}
