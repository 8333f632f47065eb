import * as fs from "node:fs";
import * as path from "node:path";
import type { Client } from "minio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSettings } from "../../infra/settings";
import { claimBucket, claimKey, readClaim, releaseBucket } from "../../infra/storage/claim";
import { clientOf, explained, listObjects } from "../../infra/storage/client";
import { lookAtStore } from "../../infra/storage/s3";
import { defaultConfig, largeMachine } from "../defaults";
import { MinioServer } from "../minioServer";
import { small, TestStack } from "./stack";

const minutes = (n: number) => n * 60_000;
const region = "us-east-1";

let server: MinioServer;
let client: Client;
beforeAll(async () => {
  server = await MinioServer.start();
  client = server.client;
}, minutes(15));
afterAll(() => server.stop());

const settingsFor = (changed: Record<string, string> = {}) =>
  parseSettings(
    defaultConfig({
      target: "local",
      objectStore: "s3",
      s3Endpoint: server.endpoint,
      s3CaCertificates: server.caFile,
      s3AccessKey: server.accessKey,
      s3SecretKey: server.secretKey,
      ...changed,
    }),
    largeMachine,
  );

describe("a store that is not the stack's own", () => {
  it("is trusted by its authority alone", async () => {
    const { caCertificates: _, ...untold } = server.access;
    await expect(explained(() => clientOf(untold).bucketExists("lake"))).rejects.toThrow(
      "certificate is not trusted",
    );
    const others = await MinioServer.start();
    const wrong = { ...server.access, caCertificates: fs.readFileSync(others.caFile, "utf8") };
    others.stop();
    await expect(explained(() => clientOf(wrong).bucketExists("lake"))).rejects.toThrow(
      "set s3CaCertificates to",
    );
    expect(await client.bucketExists("lake")).toBe(false);
  });

  it("refuses a wrong key without telling it", async () => {
    const look = lookAtStore(settingsFor({ s3SecretKey: "not-the-key" }), "other");
    await expect(look).rejects.toThrow("check minioRootUser");
    await expect(look).rejects.not.toThrow("not-the-key");
  });

  const mine = { id: "me", stack: "mine" };

  it("gives back a bucket that it made, with all that is the stack's", async () => {
    await claimBucket(client, "made-here", region, { ...mine, prefixes: ["a/"] });
    await client.putObject("made-here", "a/b/c", "1");
    await claimBucket(client, "made-here", region, { ...mine, prefixes: ["a/", "d/"] });
    expect(await readClaim(client, "made-here")).toEqual({
      ...mine,
      made: true,
      prefixes: ["a/", "d/"],
    });
    await releaseBucket(client, "made-here", "me");
    expect(await client.bucketExists("made-here")).toBe(false);
    await releaseBucket(client, "made-here", "me");
  });

  it("keeps a bucket that it made when somebody has put something into it", async () => {
    await claimBucket(client, "made-too", region, { ...mine, prefixes: ["a/"] });
    await client.putObject("made-too", "somebody's", "1");
    await client.putObject("made-too", "a/b", "1");
    await releaseBucket(client, "made-too", "me");
    expect([...(await listObjects(client, "made-too", "")).keys()]).toEqual(["somebody's"]);
  });

  it("never takes a prefix that has something in it, or another stack's bucket", async () => {
    await client.makeBucket("used", region);
    await client.putObject("used", "a/theirs", "1");
    const claim = claimBucket(client, "used", region, { ...mine, prefixes: ["b/", "a/"] });
    await expect(claim).rejects.toThrow("bucket used has a/theirs already");
    await claimBucket(client, "used", region, { ...mine, prefixes: ["b/"] });
    const others = claimBucket(client, "used", region, { id: "you", stack: "x", prefixes: ["c/"] });
    await expect(others).rejects.toThrow("bucket used is in use by stack mine");
    await releaseBucket(client, "used", "you");
    expect((await readClaim(client, "used"))?.id).toBe("me");
    await releaseBucket(client, "used", "me");
    expect([...(await listObjects(client, "used", "")).keys()]).toEqual(["a/theirs"]);
  });
});

describe("a stack of target local on such a store", () => {
  const stack = new TestStack("embedded", 26_000);
  const runs = ["spark", "ray", "daft", "baseline"].flatMap((engine) => [
    `${engine}/taxi-report`,
    `${engine}/image-predictions`,
  ]);

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
        matrix: "full",
        workloads: "taxi-report,image-predictions",
        portOffset: 26_000,
        objectStore: "s3",
        s3Endpoint: server.endpoint,
        s3CaCertificates: server.caFile,
        s3AccessKey: server.accessKey,
        s3SecretKey: server.secretKey,
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
      await client.removeObject("e2e-output", claimKey);
      const names = (await stack.preview()).map(({ urn }) => urn.slice(urn.lastIndexOf("::") + 2));
      expect(names).toContain("object-store");
      expect(names).toContain("spark/taxi-report");
      await client.putObject(
        "e2e-output",
        claimKey,
        JSON.stringify({ ...(await readClaim(client, "e2e-lake")), made: true }),
      );
    },
    minutes(2),
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
