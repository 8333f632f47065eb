import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import type { Client } from "minio";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clientOf } from "../../../infra/stores/client";
import { upload } from "../../../infra/stores/upload";
import { UserError } from "../../../infra/contracts/errors";
import { Authority } from "../../certificates";

/** A store that keeps what it is sent if it is what was announced, as S3 does. */
const kept = new Map<string, { content: Buffer; headers: http.IncomingHttpHeaders }>();
function keep(request: http.IncomingMessage, response: http.ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const content = Buffer.concat(chunks);
    const found = createHash("sha256").update(content).digest("hex");
    const { "x-amz-content-sha256": signed, "x-amz-checksum-sha256": checksum } = request.headers;
    const announced =
      signed === "UNSIGNED-PAYLOAD"
        ? Buffer.from(String(checksum), "base64").toString("hex")
        : signed;
    if (announced !== found) {
      response.statusCode = 400;
      response.end(
        `<Error><Code>XAmzContent${announced === signed ? "SHA256" : "Checksum"}Mismatch</Code></Error>`,
      );
      return;
    }
    kept.set(String(request.url), { content, headers: request.headers });
    response.end();
  });
}
const authority = new Authority();
const { certificate: cert, key } = authority.server("127.0.0.1");
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-upload-"));
});

afterEach(() => {
  kept.clear();
  fs.rmSync(folder, { recursive: true });
});

function entry(name: string, content: Buffer) {
  fs.writeFileSync(path.join(folder, name), content);
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { path: name, bytes: content.length, sha256 };
}

describe.each([
  ["http", () => http.createServer(keep)],
  ["https", () => https.createServer({ cert, key }, keep)],
] as const)("by %s", (protocol, serve) => {
  let server: http.Server;
  let client: Client;

  beforeEach(async () => {
    server = serve();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    client = clientOf({
      endpoint: `${protocol}://127.0.0.1:${port}`,
      ...{ accessKey: "somebody", secretKey: "something", region: "us-east-1", pathStyle: true },
      ...(protocol === "https" ? { caCertificates: authority.certificate } : {}),
    });
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test.each([0, 60_000, 9_000_000])("a file of %d bytes arrives with its hash", async (size) => {
    const content = Buffer.alloc(size, "trips ");
    const file = entry("some.parquet", content);
    await upload(client, "lake", folder, file);
    const object = kept.get("/lake/some.parquet");
    expect(object?.content.equals(content)).toBe(true);
    expect(object?.headers["x-amz-meta-sha256"]).toBe(file.sha256);
    expect(object?.headers["content-length"]).toBe(String(size));
  });

  test.each([60_000, 9_000_000])("a file of %d bytes that changed is refused", async (size) => {
    const file = entry("some.parquet", Buffer.alloc(size, "trips "));
    fs.writeFileSync(path.join(folder, file.path), Buffer.alloc(size, "rides "));
    const refused = upload(client, "lake", folder, file);
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(/some\.parquet is not the file that its manifest lists/);
    expect(kept.size).toBe(0);
  });

  test("a file that was cut, grew or is gone is refused before anything is sent", async () => {
    const file = entry("some.parquet", Buffer.alloc(1000, "trips "));
    for (const bytes of [999, 1001]) {
      fs.writeFileSync(path.join(folder, file.path), Buffer.alloc(bytes, "trips "));
      await expect(upload(client, "lake", folder, file)).rejects.toThrow(UserError);
    }
    fs.rmSync(path.join(folder, file.path));
    await expect(upload(client, "lake", folder, file)).rejects.toThrow(UserError);
    expect(kept.size).toBe(0);
  });
});
