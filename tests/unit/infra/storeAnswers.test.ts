import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../../../infra/contracts/errors";
import { readClaim } from "../../../infra/stores/claim";
import { clientOf, explained, listObjects } from "../../../infra/stores/client";
import { checkCertificate } from "../../../infra/stores/s3/store";
import { upload } from "../../../infra/stores/upload";
import { Authority } from "../../certificates";

let server: http.Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  vi.restoreAllMocks();
});

async function listening<Server extends http.Server>(made: Server): Promise<number> {
  server = made.listen(0, "127.0.0.1");
  await once(made, "listening");
  return (made.address() as AddressInfo).port;
}

async function clientFor(answer: http.RequestListener) {
  const port = await listening(http.createServer(answer));
  const keys = { accessKey: "somebody", secretKey: "something" };
  const endpoint = `http://127.0.0.1:${port}`;
  return clientOf({ endpoint, region: "us-east-1", pathStyle: true, ...keys });
}

const error = (code: string) => `<Error><Code>${code}</Code><Message>so</Message></Error>`;

describe("what answers at a store's address", () => {
  it.each([
    ["a bucket in another region", 301, error("PermanentRedirect"), "has the bucket elsewhere"],
    ["a key for another region", 400, error("AuthorizationHeaderMalformed"), "elsewhere"],
    ["a store behind https", 308, "", "does not speak S3 here"],
    ["a page for logging in", 302, "<html>", "does not speak S3 here"],
  ])("is told with what to set: %s", async (_, status, body, words) => {
    const client = await clientFor((request, response) => {
      request.resume();
      response.writeHead(status).end(request.method === "HEAD" ? "" : body);
    });
    for (const work of [() => readClaim(client, "lake"), () => listObjects(client, "lake", "")]) {
      const told: unknown = await explained<unknown>(work).catch((thrown: unknown) => thrown);
      expect(told).toBeInstanceOf(UserError);
      expect((told as UserError).fix).toMatch(/s3Endpoint.*s3Region|s3Region.*s3Endpoint/);
    }
    await expect(explained(() => listObjects(client, "lake", ""))).rejects.toThrow(words);
  });

  it("is sent a file again that it took for too much, whether it has read it or not", async () => {
    vi.spyOn(console, "warn").mockReturnValue();
    const content = Buffer.alloc(5 * 2 ** 20, "x");
    const sha256 = createHash("sha256").update(content).digest("hex");
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-test-"));
    fs.writeFileSync(path.join(folder, "trips"), content);
    for (const reads of [true, false]) {
      const sizes: number[] = [];
      const client = await clientFor((request, response) => {
        const first = sizes.length === 0 && !reads;
        if (first) sizes.push(0);
        if (first) return void response.writeHead(503).end(error("SlowDown"));
        void buffer(request).then(({ length }) => {
          sizes.push(length);
          response.writeHead(sizes.length === 1 ? 503 : 200, { etag: '"e"' }).end();
        });
      });
      await upload(client, "lake", folder, { path: "trips", bytes: content.length, sha256 });
      expect(sizes.at(-1)).toBe(content.length);
      server?.closeAllConnections();
    }
    fs.rmSync(folder, { recursive: true });
  });
});

describe("a store's certificate", () => {
  const authority = new Authority();

  it.each([
    ["is signed for its address", authority.server("127.0.0.1"), ""],
    ["is an authority's, as openssl req -x509 makes it", authority.itself("127.0.0.1"), "CA:TRUE"],
    ["is for another address", authority.server("127.0.0.2"), "does not name 127.0.0.1"],
  ])("that %s", async (_, { certificate: cert, key }, words) => {
    const port = await listening(https.createServer({ cert, key }));
    const said = await checkCertificate(`https://127.0.0.1:${port}`, ["127.0.0.1"]).catch(
      (thrown: Error) => thrown.message,
    );
    if (words === "") expect(said).toBeUndefined();
    else expect(said).toContain(words);
  });
});
