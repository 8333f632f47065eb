import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Client } from "minio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quickRuns } from "../defaults";
import { claimKey, readClaim } from "../../infra/stores/claim";
import { clientOf, listObjects } from "../../infra/stores/client";
import { checkout, freeOffset, small, TestStack } from "../e2e/stack";
import { MinioServer } from "../minioServer";

const minutes = (n: number) => n * 60_000;
const region = "us-east-1";

let server: MinioServer;
let client: Client;

const storeSettings = () => ({
  objectStore: "s3",
  s3Endpoint: server.endpoint,
  s3CaCertificates: server.caFile,
  s3AccessKey: server.accessKey,
  s3SecretKey: server.secretKey,
});

beforeAll(async () => {
  server = await MinioServer.start();
  client = server.client;
}, minutes(15));
afterAll(() => server.stop());

describe("a stack of target local on such a store", () => {
  const stack = new TestStack("embedded", freeOffset(19_500));
  const runs = ["taxi-report", "image-predictions"].flatMap(quickRuns);

  afterAll(async () => {
    if (fs.existsSync(stack.folder)) await stack.run("destroy");
    fs.rmSync(stack.home, { recursive: true, force: true });
  }, minutes(3));

  interface Outputs {
    readonly runs: Readonly<Record<string, { status: string; checksum: string; key: string }>>;
    readonly minioEndpoint: string;
  }
  let outputs: Outputs;

  it(
    "has every engine's run verified, Daft's on Ray, too",
    async () => {
      await client.makeBucket("e2e-lake", region);
      await client.putObject("e2e-lake", "somebody's/table", "theirs");
      const up = await stack.start({
        ...small,
        matrix: "quick",
        workloads: "taxi-report,image-predictions",
        portOffset: stack.portOffset,
        ...storeSettings(),
        bucketPrefix: "e2e-",
      });
      expect(up.code, up.stdout + up.stderr).toBe(0);
      outputs = await stack.outputs<Outputs>();
      expect(Object.keys(outputs.runs).sort()).toEqual([...runs].sort());
      expect(outputs.minioEndpoint).toBe(server.endpoint);
      const checksums = (workload: string) =>
        new Set(
          Object.entries(outputs.runs)
            .filter(([name]) => name.endsWith(workload))
            .map(([, { checksum }]) => checksum),
        );
      expect(checksums("taxi-report").size).toBe(1);
      expect(checksums("image-predictions").size).toBe(1);
      expect(await stack.preview()).toEqual([]);
      expect(fs.existsSync(path.join(stack.folder, "minio"))).toBe(false);

      const onRay = await stack.start({ daftRunner: "ray" });
      expect(onRay.code, onRay.stdout + onRay.stderr).toBe(0);
      const after = (await stack.outputs<Outputs>()).runs;
      for (const run of ["daft/taxi-report", "daft/image-predictions"]) {
        expect(after[run].key, run).not.toBe(outputs.runs[run].key);
        expect(after[run].checksum, run).toBe(outputs.runs[run].checksum);
      }
    },
    minutes(20),
  );

  it("has its key in files for this user alone, and in no argument", () => {
    const open = filesUnder(stack.folder)
      .filter((file) => (fs.statSync(file).mode & 0o077) !== 0)
      .filter((file) => fs.readFileSync(file).includes(server.secretKey));
    expect(open).toEqual([]);
    const state = filesUnder(stack.folder).filter((file) =>
      fs.readFileSync(file).includes(server.secretKey),
    );
    expect(state.map((file) => path.basename(file)).sort()).toEqual(["credentials.json"]);
    for (const pid of stack.processes()) {
      expect(readOr(`/proc/${pid}/cmdline`)).not.toContain(server.secretKey);
    }
  });

  it(
    "makes again what was lost there",
    async () => {
      const claim = await readClaim(client, "e2e-output");
      await client.removeObject("e2e-output", claimKey);
      const names = (await stack.preview()).map(({ urn }) => urn.slice(urn.lastIndexOf("::") + 2));
      expect(names).toContain("object-store");
      expect(names).toContain("spark/taxi-report");
      await client.putObject("e2e-output", claimKey, JSON.stringify(claim));
    },
    minutes(2),
  );

  it(
    "reads data that is there already by a key that may only read it, and notices what changes",
    async () => {
      const data = { lake: "theirs", images: "pictures" };
      await copyPrefix("e2e-lake", "taxi/", data.lake);
      await copyPrefix("e2e-bucket", "images/", data.images);
      await putBareList("e2e-bucket", data.images);
      const limited = limitedKey(Object.values(data), ["reader-*"]);
      const asReader = clientOf({ ...server.access, ...limited });
      for (const bucket of Object.values(data)) {
        await expect(asReader.putObject(bucket, "new", "mine")).rejects.toThrow("Access Denied");
      }
      const theirs = () =>
        Promise.all(
          Object.values(data).map(async (bucket) => [...(await listObjects(client, bucket, ""))]),
        );
      const before = await theirs();
      const reader = new TestStack("embedded", freeOffset(19_800));
      try {
        const up = await reader.start({
          ...small,
          matrix: "quick",
          workloads: "taxi-report,image-predictions",
          portOffset: reader.portOffset,
          datasetSource: "existing",
          bucketNames: JSON.stringify(data),
          bucketPrefix: "reader-",
          ...storeSettings(),
          s3AccessKey: limited.accessKey,
          s3SecretKey: limited.secretKey,
        });
        expect(up.code, up.stdout + up.stderr).toBe(0);
        const { runs: read } = await reader.outputs<Outputs>();
        expect(Object.keys(read).sort()).toEqual([...runs].sort());
        const images = new Set<string>();
        for (const run of runs) {
          expect(read[run].status, run).toBe("verified");
          if (run.endsWith("taxi-report")) {
            expect(read[run].checksum, run).toBe(outputs.runs[run].checksum);
          } else images.add(read[run].checksum); // it has the images' bucket
        }
        expect(images.size).toBe(1);
        expect(await reader.preview()).toEqual([]);
        expect(await theirs()).toEqual(before);
        const again = "taxi/yellow_tripdata_again.parquet";
        const [month] = before[0].map(([name]) => name).filter((name) => /parquet$/.test(name));
        await client.copyObject("theirs", again, `/theirs/${month}`);
        const changed = (await reader.preview()).map(({ urn }) => urn.split("::").at(-1));
        expect(changed).toEqual(expect.arrayContaining(["taxi-files", "daft/taxi-report"]));
        expect(changed).not.toContain("daft/image-predictions");
        await client.removeObject("theirs", again);
      } finally {
        const destroy = await reader.run("destroy");
        expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
        fs.rmSync(reader.home, { recursive: true, force: true });
      }
      expect(await theirs()).toEqual(before);
    },
    minutes(20),
  );

  it(
    "does not leave its store for another",
    async () => {
      const up = await stack.run("preview", "--config", "objectStore=minio");
      expect(up.code).not.toBe(0);
      expect(up.stdout + up.stderr).toContain("objectStore is minio");
    },
    minutes(2),
  );

  it(
    "takes away all that is its own, and nothing else",
    async () => {
      const destroy = await stack.run("destroy");
      expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
      expect([...(await listObjects(client, "e2e-lake", "")).keys()]).toEqual(["somebody's/table"]);
      for (const bucket of ["e2e-bucket", "e2e-warehouse", "e2e-output"]) {
        expect(await client.bucketExists(bucket), bucket).toBe(false);
      }
    },
    minutes(3),
  );
});

/** Copies what is under a prefix to a new bucket. */
async function copyPrefix(from: string, prefix: string, to: string): Promise<void> {
  await client.makeBucket(to, region);
  for (const name of (await listObjects(client, from, prefix)).keys()) {
    await client.copyObject(to, name, `/${from}/${name}`);
  }
}

/** Puts a list of images with keys alone beside them: that of a stack names its bucket. */
async function putBareList(from: string, to: string): Promise<void> {
  const parts: Buffer[] = [];
  const stream = await client.getObject(from, "image_metadata.parquet");
  for await (const part of stream) parts.push(part as Buffer);
  const program = [
    "import io, sys, pyarrow as pa, pyarrow.parquet as pq",
    "urls = pq.read_table(io.BytesIO(sys.stdin.buffer.read())).column('image_url').to_pylist()",
    "keys = [url.split('/', 3)[3] for url in urls]",
    "pq.write_table(pa.table({'image_url': keys}), sys.stdout.buffer)",
  ];
  const list = python(["-c", program.join("\n")], Buffer.concat(parts));
  await client.putObject(to, "image_metadata.parquet", list);
}

/** A key of the server that may read some buckets, and do all with others. */
function limitedKey(reads: readonly string[], writes: readonly string[]) {
  const { caCertificates: _, ...store } = server.access;
  const input = JSON.stringify({ store, name: "reader", reads, writes });
  const made = python(["tests/python/limited_key.py"], input).toString();
  const { accessKey, secretKey } = JSON.parse(made) as typeof store;
  return { accessKey, secretKey };
}

/** What a Python program prints, with the packages of the tests. */
function python(args: readonly string[], input: string | Buffer): Buffer {
  const building = ["--import", "tsx", "tests/pythonEnvironment.ts"];
  const built = spawnSync(process.execPath, building, { cwd: checkout, encoding: "utf8" });
  const done = spawnSync(built.stdout.trim(), args, {
    cwd: checkout,
    env: { SSL_CERT_FILE: server.caFile },
    input,
  });
  expect(done.status, String(done.stderr)).toBe(0);
  return done.stdout;
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
