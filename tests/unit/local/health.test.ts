import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { get } from "../../../infra/host/probe";

const answers: Record<string, [number, string]> = {
  "/json": [200, '{"status": "ALIVE"}'],
  "/busy": [503, '{"status": "ALIVE"}'],
};
const server = http.createServer((request, response) => {
  const [status, text] = answers[request.url ?? ""] ?? [404, ""];
  response.writeHead(status).end(text);
});
let url = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

it("a service that is up answers with a text", async () => {
  expect(await get(`${url}/json`)).toBe('{"status": "ALIVE"}');
});

it.each(["/busy", "/nowhere"])(
  "a service that still starts may answer anything (%s)",
  async (path) => {
    expect(await get(url + path)).toBeUndefined();
  },
);

it("a service that does not listen answers nothing", async () => {
  expect(await get("http://127.0.0.1:1")).toBeUndefined();
});
