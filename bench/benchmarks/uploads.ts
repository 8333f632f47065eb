import { hash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../../infra/stack/files";
import { executorOf } from "../../infra/targets";
import { cacheFolder, datasetFolder, homeFolder } from "../../infra/host/folders";
import { BuildLog, ensureEntry } from "../../infra/toolchain/caches";
import { runGo } from "../../infra/toolchain/uv";
import { UserError } from "../../infra/contracts/errors";
import { bytes, count } from "../../report/format";
import type { Contender } from "../harness";
import { withNode } from "../render";
import type { Bench, Benchmark } from "../stack";

/** A widely used S3 client, of which its makers say that it is the fastest. */
const s5cmdModule = "github.com/peak/s5cmd/v2";
const goMod = `module bench\ngo 1.24\nrequire ${s5cmdModule} v2.3.0\n`;

/** What is uploaded: 1.5 GB in a year's files, and as many files of a photo's size as would tire. */
const loads = [
  { files: 12, size: 125_000_000 },
  { files: 2000, size: 40_000 },
];

/** Keys of the store and paths below the folder. */
const prefix = "bench/files";

export const uploads: Benchmark = {
  name: "uploads",
  what: "the upload step, as the program runs it, against s5cmd",
  async run(bench) {
    await bench.deployed();
    const s5cmd = await builtS5cmd().catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
      bench.note(`s5cmd is left out: ${error.what.split("\n")[0]}.`);
      return undefined;
    });
    const tables = [];
    for (const { files, size } of loads) {
      const title = `uploads, ${count(files)} files of ${bytes(size)}`;
      const folder = datasetFolder("bench", String(size));
      try {
        writeFiles(folder, files, size);
        const load = { files, bytes: files * size };
        const contenders = await uploaders(bench, folder, load, s5cmd);
        const plan = { repeats: "5", ...bench.plan };
        const table = await bench.measured({ title, plan, contenders });
        tables.push(withNode(table));
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    }
    return tables;
  },
};

async function uploaders(
  { stack }: Bench,
  folder: string,
  load: { readonly files: number; readonly bytes: number },
  s5cmd: string | undefined,
): Promise<Contender[]> {
  const connection = await (await executorOf(stack.name)).connection("none");
  const { endpoint, region, accessKey, secretKey } = connection.store;
  const bucket = "output";
  const to = { spec: connection, uploads: { prefix: `${bucket}/${prefix}`, ...load } };
  const version = path.basename(folder);
  const ours: Contender = {
    name: "upload step",
    argv: [process.execPath, "steps.mjs", "upload", "create"],
    environment: {
      ...folders(),
      ENGINE_COMPARISON_STACK: stack.name,
      STEP: "bench",
      SPEC: JSON.stringify({ dataset: "bench", version, bucket, owns: [`${prefix}/`] }),
    },
    ...to,
    ...(s5cmd && { against: "s5cmd" }),
  };
  if (!s5cmd) return [ours];
  const source = `${path.join(folder, prefix)}/`;
  const argv = [s5cmd, "--log", "error", "--endpoint-url", endpoint, "cp", source];
  const environment = {
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_REGION: region,
  };
  const into = `s3://${bucket}/${prefix}/`;
  return [ours, { name: "s5cmd", argv: [...argv, into], environment, ...to }];
}

/** Where a program that is started as a contender finds what this one has. */
export function folders(): Record<string, string> {
  const passphrase = Object.entries(process.env).filter(([name]) =>
    name.startsWith("PULUMI_CONFIG_PASSPHRASE"),
  ) as [string, string][];
  return {
    ...Object.fromEntries(passphrase),
    ENGINE_COMPARISON_HOME: homeFolder(),
    ENGINE_COMPARISON_CACHE: cacheFolder(),
  };
}

/** Files that no store can make smaller, and their manifest. */
function writeFiles(folder: string, files: number, size: number): void {
  fs.mkdirSync(path.join(folder, prefix), { recursive: true });
  const content = randomBytes(size);
  const manifest = Array.from({ length: files }, (_, at) => {
    content.writeUInt32BE(at);
    const name = `${prefix}/${String(at).padStart(4, "0")}`;
    fs.writeFileSync(path.join(folder, name), content);
    return { path: name, bytes: size, sha256: hash("sha256", content) };
  });
  fs.writeFileSync(path.join(folder, "manifest.json"), JSON.stringify(manifest));
}

/** s5cmd, built into the cache from its Go module. @throws UserError where it cannot be had */
async function builtS5cmd(): Promise<string> {
  const entry = `s5cmd/${shortHash([goMod, process.arch, process.platform])}` as const;
  fs.mkdirSync(path.join(cacheFolder(), "s5cmd"), { recursive: true });
  const log = new BuildLog(path.join(cacheFolder(), "s5cmd", "build.log"));
  const folder = await ensureEntry(entry, log, (build) =>
    runGo(build, ["build", "-mod=mod", "-o", build.folder, s5cmdModule], goMod),
  );
  return path.join(folder, "s5cmd");
}
