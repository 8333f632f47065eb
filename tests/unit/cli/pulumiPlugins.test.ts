import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { endLeftPlugins } from "../../../cli/runners/pulumiLeft";

/** As for a user id that has no line in /etc/passwd (https://github.com/nodejs/node/issues/25714). */
vi.mock("node:os", async (original) => ({
  ...(await original<typeof os>()),
  userInfo: () => {
    throw new Error("ENOENT: uv_os_get_passwd");
  },
}));

let checkout: string;
const engine = net.createServer();
const started: ChildProcess[] = [];

/** A process that looks like one of the CLI's and waits for its standard input to end. */
async function plugin(name: string, cwd = checkout): Promise<ChildProcess> {
  const script = path.join(checkout, name);
  fs.writeFileSync(script, "#!/bin/sh\necho ready\nread -r end\n", { mode: 0o755 });
  const { port } = engine.address() as net.AddressInfo;
  const child = spawn(script, [`127.0.0.1:${port}`], { cwd });
  started.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}

beforeEach(async () => {
  checkout = fs.mkdtempSync(path.join(os.tmpdir(), "ec-unit-"));
  await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  engine.close();
  for (const child of started.splice(0)) child.kill("SIGKILL");
  fs.rmSync(checkout, { recursive: true });
});

it("ends what killed CLIs have left of a checkout's stacks, and only when their engine is gone", async () => {
  const left = [await plugin("pulumi-resource-command"), await plugin("pulumi-language-nodejs")];
  const others = [await plugin("pulumi-resource-docker", os.tmpdir()), await plugin("pulumi")];
  expect(endLeftPlugins(checkout)).toBe(0);

  await new Promise((resolve) => engine.close(resolve));
  const ends = left.map((child) => new Promise((resolve) => child.once("exit", resolve)));
  expect(endLeftPlugins(checkout)).toBe(2);
  await Promise.all(ends);
  expect(others.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([null, null]);
});
