import { Readable } from "node:stream";
import type { Client } from "minio";
import { expect, it } from "vitest";
import { claimKey, releaseBucket } from "../../../infra/stores/claim";
import { freshHome } from "../cli/home";

freshHome();

const mine = { id: "me", stack: "mine" };

/** A store with one claimed bucket, of which one request fails: the n-th. */
class Bucket {
  exists = true;
  readonly objects: Map<string, string>;
  private requests = 0;

  constructor(made: boolean, others: readonly string[]) {
    const claim = JSON.stringify({ ...mine, made, prefixes: ["a/", "b/"] });
    const keys = ["a/1", "a/2", "b/1", ...others].map((key) => [key, "x"] as const);
    this.objects = new Map([[claimKey, claim], ...keys]);
  }

  client(failing = 0): Client {
    this.requests = 0;
    const request = <T>(answer: () => T): Promise<T> => {
      this.requests++;
      return this.requests === failing
        ? Promise.reject(new Error("the connection was reset"))
        : Promise.resolve().then(answer);
    };
    const listed = (prefix: string) =>
      [...this.objects.keys()].filter((name) => name.startsWith(prefix));
    return {
      bucketExists: () => request(() => this.exists),
      getObject: (_: string, name: string) =>
        request(() => {
          const text = this.objects.get(name);
          if (text === undefined) throw Object.assign(new Error("none"), { code: "NoSuchKey" });
          return Readable.from([text]);
        }),
      listObjectsV2: async function* (_: string, prefix: string) {
        for (const name of await request(() => listed(prefix))) yield { name, size: 1, etag: "e" };
      },
      removeObjects: (_: string, names: string[]) =>
        request(() => names.map((name) => void this.objects.delete(name))),
      removeObject: (_: string, name: string) => request(() => this.objects.delete(name)),
      removeBucket: () => request(() => (this.exists = false)),
    } as unknown as Client;
  }
}

it.each([
  ["that the stack made", true, [], false],
  ["that it made and somebody uses", true, ["somebody's"], true],
  ["that it did not make", false, [], true],
] as const)(
  "the release of a bucket %s can be repeated, whichever request failed",
  async (_, made, others, stays) => {
    for (let failing = 1; ; failing++) {
      const bucket = new Bucket(made, others);
      const done = await releaseBucket(bucket.client(failing), "lake", mine).then(
        () => true,
        () => false,
      );
      if (!done) await releaseBucket(bucket.client(), "lake", mine);
      expect(bucket.exists, `after request ${failing}`).toBe(stays);
      expect([...bucket.objects.keys()], `after request ${failing}`).toEqual(others);
      if (done) return expect(failing).toBeGreaterThan(8);
    }
  },
);
