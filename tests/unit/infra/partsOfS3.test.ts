import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../../infra/contracts/errors";
import { clientOf, probeParts, removeObjects } from "../../../infra/stores/client";
import { upload } from "../../../infra/stores/upload";

/** A store at the loopback interface that keeps objects and refuses some parts of S3. */
class PartialStore {
  readonly objects = new Set<string>();
  readonly hosts = new Set<string>();
  refused = 0;
  private readonly server = http.createServer((request, response) => {
    void this.answer(request, response);
  });

  constructor(private readonly code: string) {}

  async listen(host: string): Promise<string> {
    this.server.listen(0, host);
    await once(this.server, "listening");
    const { port } = this.server.address() as AddressInfo;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: http.IncomingMessage, response: http.ServerResponse) {
    const { method, url = "", headers } = request;
    this.hosts.add(headers.host ?? "");
    const body = await text(request);
    const checksum = Object.keys(headers).some((name) => name.startsWith("x-amz-checksum-"));
    if (checksum || (method === "POST" && url.includes("delete"))) {
      this.refused++;
      response.writeHead(501, { "content-type": "application/xml" });
      return response.end(`<Error><Code>${this.code}</Code><Message>no</Message></Error>`);
    }
    const key = decodeURIComponent(url.split("?")[0]);
    if (method === "PUT") this.objects.add(key);
    if (method === "DELETE") this.objects.delete(key);
    response.writeHead(method === "DELETE" ? 204 : 200, { etag: '"e"' });
    return response.end(method === "PUT" ? "" : body);
  }
}

let store: PartialStore | undefined;
let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-test-"));
});
afterEach(() => {
  store?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

async function clientFor(
  parts: { readonly bulkDelete?: boolean; readonly checksums?: boolean },
  { host = "127.0.0.1", code = "NotImplemented" } = {},
) {
  store = new PartialStore(code);
  const endpoint = await store.listen(host);
  const keys = { accessKey: "somebody", secretKey: "something" };
  return clientOf({ endpoint, region: "us-east-1", pathStyle: true, ...keys, ...parts });
}

async function problem(work: Promise<unknown>): Promise<UserError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (error instanceof UserError) return error;
  throw new Error(`no UserError: ${String(error)}`);
}

describe("a store that speaks a part of S3", () => {
  it("is found out before anything is uploaded, with what it means and the setting", async () => {
    const noChecksums = await problem(probeParts(await clientFor({}), "output", "a/"));
    expect(noChecksums.what).toBe(
      "the object store takes no checksums in headers (NotImplemented: no)",
    );
    expect(noChecksums.fix).toMatch(/^set s3Checksums to false: uploads are then compared/);
    store?.close();
    const noBulk = await problem(probeParts(await clientFor({ checksums: false }), "output", "a/"));
    expect(noBulk.what).toContain("does not delete many objects by one request (NotImplemented");
    expect(noBulk.fix).toMatch(/^set s3BulkDelete to false: objects are then deleted one by one/);
  });

  it("is not asked for the parts that are switched off", async () => {
    const client = await clientFor({ bulkDelete: false, checksums: false });
    await probeParts(client, "output", "a/");
    const names = Array.from({ length: 70 }, (_, n) => `a/${n} &?`);
    const sha256 = createHash("sha256").update("abc").digest("hex");
    fs.mkdirSync(path.join(folder, "a"));
    for (const name of names) {
      fs.writeFileSync(path.join(folder, name), "abc");
      await upload(client, "output", folder, { path: name, bytes: 3, sha256 });
    }
    expect(store!.objects.size).toBe(70);
    await removeObjects(client, "output", names);
    expect(store!.objects.size).toBe(0);
    expect(store!.refused).toBe(0);
  });

  it("is not told from one that refuses the key", async () => {
    const client = await clientFor({}, { code: "AccessDenied" });
    await expect(probeParts(client, "output", "a/")).rejects.toMatchObject({
      code: "AccessDenied",
    });
  });
});

it("a store is reached at an address of IPv6", async () => {
  const client = await clientFor({ bulkDelete: false, checksums: false }, { host: "::1" });
  await client.putObject("output", "a", "1");
  expect([...store!.objects]).toEqual(["/output/a"]);
  expect([...store!.hosts]).toEqual([expect.stringMatching(/^\[::1\]:\d+$/)]);
});
