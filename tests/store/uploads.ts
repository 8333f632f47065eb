import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { minioBinary, TestStore } from "./store";

/** What is uploaded: many files of a few hundred bytes, and one that is large. */
export interface Load {
  readonly small: number;
  readonly largeBytes: number;
  /** The most that the upload's process may have in memory. */
  readonly mostBytes: number;
  readonly minutes: number;
}

const MiB = 2 ** 20;
const noStore = minioBinary ? "" : " (skipped: the cache has no MinIO, which a first up builds)";

interface Entry {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A block of the large file: no two are alike, so that one out of place shows. */
function block(number: number, bytes: number): Buffer {
  const filled = Buffer.alloc(bytes, `block ${number} `);
  filled.writeUInt32BE(number, bytes - 4);
  return filled;
}

/** Makes the dataset in the store's cache, at the manifest's paths. @returns its manifest */
function makeDataset(folder: string, { small, largeBytes }: Load): Entry[] {
  fs.mkdirSync(path.join(folder, "data"), { recursive: true });
  const manifest: Entry[] = [];
  for (let n = 0; n < small; n++) {
    const name = `data/${String(n).padStart(5, "0")}.bin`;
    const content = Buffer.alloc(100 + (n % 400), `file ${n} `);
    fs.writeFileSync(path.join(folder, name), content);
    manifest.push({ path: name, bytes: content.length, sha256: sha256(content) });
  }
  const hash = createHash("sha256");
  const large = fs.openSync(path.join(folder, "data/large.bin"), "w");
  for (let n = 0; n * MiB < largeBytes; n++) {
    const content = block(n, Math.min(MiB, largeBytes - n * MiB));
    hash.update(content);
    fs.writeSync(large, content);
  }
  fs.closeSync(large);
  manifest.push({ path: "data/large.bin", bytes: largeBytes, sha256: hash.digest("hex") });
  fs.writeFileSync(path.join(folder, "manifest.json"), JSON.stringify(manifest));
  return manifest;
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** The tests of an upload by the program's own step, against a MinIO of their own. */
export function testUploads(load: Load): void {
  const test = minioBinary ? it : it.skip;
  const store = new TestStore();
  const folder = path.join(store.cache, "datasets", "load", "v1");
  const spec = { dataset: "load", version: "v1", bucket: "load", owns: ["data/"] };
  const upload = () => store.step("upload", "create", spec);
  const limit = load.minutes * 60_000;
  const files = load.small + 1;
  let manifest: Entry[] = [];

  beforeAll(async () => {
    if (!minioBinary) return;
    manifest = makeDataset(folder, load);
    await store.open();
    const made = await store.step("minio-bucket", "create", { bucket: "load" });
    expect(made.code, made.stderr).toBe(0);
  }, limit);
  afterAll(() => store.close(), limit);

  async function told(): Promise<Record<string, number>> {
    const { code, stdout, stderr, peakBytes } = await upload();
    expect(code, stderr).toBe(0);
    console.log(`the upload had at most ${Math.round(peakBytes / MiB)} MiB: ${stdout.trim()}`);
    expect(peakBytes).toBeGreaterThan(0);
    expect(peakBytes).toBeLessThan(load.mostBytes);
    return JSON.parse(stdout) as Record<string, number>;
  }

  async function readBack(name: string): Promise<string> {
    const hash = createHash("sha256");
    for await (const chunk of await store.client().getObject("load", name)) {
      hash.update(chunk as Buffer);
    }
    return hash.digest("hex");
  }

  async function listed(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for await (const item of store.client().listObjectsV2("load", "", true)) {
      const { name, size } = item as { name: string; size: number };
      found.set(name, size);
    }
    return found;
  }

  test(
    `${load.small} small objects and one of ${load.largeBytes / MiB} MiB arrive whole, in bounded memory${noStore}`,
    async () => {
      const bytes = manifest.reduce((sum, entry) => sum + entry.bytes, 0);
      expect(await told()).toMatchObject({ files, bytes, uploaded: files, removed: 0 });
      const wanted = new Map(manifest.map((entry) => [entry.path, entry.bytes]));
      expect(await listed()).toEqual(wanted);
      const every = Math.ceil(load.small / 100);
      for (const entry of manifest.filter((_, n) => n % every === 0 || n === load.small)) {
        expect(await readBack(entry.path), entry.path).toBe(entry.sha256);
      }
    },
    limit,
  );

  test(
    `uploaded again, only what differs goes over, and what is not listed goes away${noStore}`,
    async () => {
      const client = store.client();
      await client.putObject("load", "data/00000.bin", "x".repeat(manifest[0].bytes));
      await client.removeObject("load", "data/00001.bin");
      await client.putObject("load", "data/stranger.bin", "x");
      expect(await told()).toMatchObject({ files, uploaded: 2, removed: 1 });
      expect(await readBack("data/00000.bin")).toBe(manifest[0].sha256);
      expect((await listed()).size).toBe(files);
    },
    limit,
  );

  test(
    `a large file that is not what its manifest lists is refused, and does not stay${noStore}`,
    async () => {
      await store.client().removeObject("load", "data/large.bin");
      const large = fs.openSync(path.join(folder, "data/large.bin"), "r+");
      fs.writeSync(large, "another", Math.floor(load.largeBytes / 2));
      fs.closeSync(large);
      const { code, stderr } = await upload();
      expect(code).toBe(1);
      expect(stderr).toContain("data/large.bin is not the file that its manifest lists");
      expect((await listed()).has("data/large.bin")).toBe(false);
    },
    limit,
  );

  test(
    `deleted, nothing of it stays${noStore}`,
    async () => {
      const done = await store.step("upload", "delete", spec);
      expect(done.code, done.stderr).toBe(0);
      expect((await listed()).size).toBe(0);
    },
    limit,
  );
}
