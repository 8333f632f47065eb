import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { get, getJson } from "../../../infra/host/probe";

const answers: Record<string, [number, string]> = {
  "/page": [200, "<!DOCTYPE html><html></html>"],
  "/json": [200, '{"status": "ALIVE"}'],
  "/null": [200, "null"],
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

it("JSON is what a service answers that is up", async () => {
  expect(await getJson(`${url}/json`)).toEqual({ status: "ALIVE" });
});

it.each(["/page", "/null", "/busy", "/nowhere"])(
  "a service that still starts may answer anything (%s)",
  async (path) => {
    expect(await getJson(url + path)).toBeUndefined();
  },
);

it("a service that does not listen answers nothing", async () => {
  expect(await get("http://127.0.0.1:1")).toBeUndefined();
  expect(await getJson("http://127.0.0.1:1")).toBeUndefined();
});
