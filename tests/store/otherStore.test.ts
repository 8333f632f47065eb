import * as fs from "node:fs";
import type { Client } from "minio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSettings } from "../../infra/targets/readSettings";
import {
  claimBucket,
  claimKey,
  readClaim,
  releaseBucket,
  releaseUnclaimed,
} from "../../infra/stores/claim";
import { clientOf, explained, listObjects, removeObjects } from "../../infra/stores/client";
import { lookAtStore } from "../../infra/stores/s3/store";
import { lookAtExisting } from "../../pipelines/dataset";
import { chosenRuns } from "../../pipelines/matrix";
import { defaultConfig, largeMachine } from "../defaults";
import { freshHome } from "../unit/cli/home";
import { MinioServer } from "../minioServer";

const minutes = (n: number) => n * 60_000;
const region = "us-east-1";

let server: MinioServer;
let client: Client;
freshHome();
beforeAll(async () => {
  server = await MinioServer.start();
  client = server.client;
}, minutes(15));
afterAll(() => server.stop());

const settingsFor = (changed: Record<string, string> = {}) =>
  readSettings(
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
    const look = lookAtStore(settingsFor({ s3SecretKey: "not-the-key" }), "other", undefined);
    await expect(look).rejects.toThrow("check minioRootUser");
    await expect(look).rejects.not.toThrow("not-the-key");
  });

  it("is read where data is there already, and is asked what of it changed", async () => {
    await client.makeBucket("theirs", region);
    const existing = settingsFor({
      datasetSource: "existing",
      workloads: '["taxi-report"]',
      bucketNames: '{"lake":"theirs"}',
    });
    const look = async () =>
      (await lookAtExisting("dev", existing, chosenRuns(existing)))?.get("taxi");
    await expect(look()).rejects.toThrow("bucket theirs has nothing at taxi/");
    await client.putObject("theirs", "taxi/a.parquet", "one");
    const first = await look();
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    await client.putObject("theirs", "elsewhere", "two");
    expect(await look()).toBe(first);
    await client.putObject("theirs", "taxi/a.parquet", "two");
    expect(await look()).not.toBe(first);
    await claimBucket(client, "theirs", region, { id: "me", stack: "mine", prefixes: ["taxi/x"] });
    await expect(look()).resolves.toBeDefined();
    const own = { id: "me", stack: "mine", made: false, prefixes: ["taxi/"] };
    await client.putObject("theirs", claimKey, JSON.stringify(own));
    await expect(look()).rejects.toThrow("what bucket theirs has at taxi/ is a stack's own");
    expect(await lookAtExisting("dev", settingsFor(), chosenRuns(settingsFor()))).toBeUndefined();
  });

  it("is only read where data is there already: no claim is written or asked for, and several may", async () => {
    await client.makeBucket("shared", region);
    await client.putObject("shared", "taxi/a.parquet", "one");
    const reading = settingsFor({
      datasetSource: "existing",
      bucketNames: '{"lake":"shared","images":"shared-images"}',
      bucketPrefix: "reader-",
    });
    const another = { id: "other", stack: "other", made: false, prefixes: ["elsewhere/"] };
    await client.putObject("shared", claimKey, JSON.stringify(another));
    await expect(lookAtStore(reading, "mine", "me")).resolves.toBeDefined();
    await expect(
      lookAtStore(settingsFor({ bucketNames: '{"lake":"shared"}' }), "mine", "me"),
    ).rejects.toThrow("bucket shared is in use by stack other");
    const denied = Object.create(client, {
      getObject: {
        value: () => Promise.reject(Object.assign(new Error(), { code: "AccessDenied" })),
      },
    }) as Client;
    await expect(readClaim(denied, "shared", true)).resolves.toBeUndefined();
    await expect(readClaim(denied, "shared")).rejects.toThrow();
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
    await releaseBucket(client, "made-here", mine);
    expect(await client.bucketExists("made-here")).toBe(false);
    await releaseBucket(client, "made-here", mine);
  });

  it("is claimed by one of two stacks that come at once", async () => {
    await client.makeBucket("raced", region);
    const claims = ["one", "two", "three"].map((id) =>
      claimBucket(client, "raced", region, { id, stack: id, prefixes: [`${id}/`] }),
    );
    const ended = await Promise.allSettled(claims);
    const won = ended.flatMap((end) => (end.status === "fulfilled" ? [end.value.id] : []));
    expect(won).toHaveLength(1);
    expect((await readClaim(client, "raced"))?.id).toBe(won[0]);
  });

  it("gives back a bucket whose making was interrupted before the claim", async () => {
    const request: Client["makeRequestAsync"] = (options, ...rest) =>
      options.objectName === claimKey && options.method === "PUT"
        ? Promise.reject(new Error("killed"))
        : client.makeRequestAsync(options, ...rest);
    const broken = Object.create(client, { makeRequestAsync: { value: request } }) as Client;
    const claim = { ...mine, prefixes: ["a/"] };
    await expect(claimBucket(broken, "half-made", region, claim)).rejects.toThrow();
    expect(await client.bucketExists("half-made")).toBe(true);
    expect((await claimBucket(client, "half-made", region, claim)).made).toBe(true);
    await releaseBucket(client, "half-made", mine);
    await expect(claimBucket(broken, "half-made", region, claim)).rejects.toThrow();
    await releaseUnclaimed(client, "mine");
    expect(await client.bucketExists("half-made")).toBe(false);
  });

  it("says which object it did not delete", async () => {
    const answers = [{ Key: "a/1", Code: "AccessDenied", Message: "Access Denied." }];
    const refusing = Object.create(client, {
      removeObjects: { value: () => Promise.resolve(answers) },
    }) as Client;
    await expect(removeObjects(refusing, "any", ["a/1"])).rejects.toThrow(
      "did not delete a/1 in bucket any (AccessDenied",
    );
  });

  it("keeps a bucket that it made when somebody has put something into it", async () => {
    await claimBucket(client, "made-too", region, { ...mine, prefixes: ["a/"] });
    await client.putObject("made-too", "somebody's", "1");
    await client.putObject("made-too", "a/b", "1");
    await releaseBucket(client, "made-too", mine);
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
    await releaseBucket(client, "used", { ...mine, id: "you" });
    expect((await readClaim(client, "used"))?.id).toBe("me");
    await releaseBucket(client, "used", mine);
    expect([...(await listObjects(client, "used", "")).keys()]).toEqual(["a/theirs"]);
  });
});
