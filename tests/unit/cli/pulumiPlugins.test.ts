import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { endLeftPlugins } from "../../../cli/pulumiPlugins";
import { stackBackendUrl } from "../../../infra/ownership";
import { freshHome } from "./home";

const home = freshHome();
const engine = net.createServer();
const started: ChildProcess[] = [];

/** A process that looks like one of the CLI's and waits for its standard input to end. */
async function plugin(name: string, backend: string): Promise<ChildProcess> {
  const script = path.join(home(), name);
  fs.writeFileSync(script, "#!/bin/sh\necho ready\nread -r end\n", { mode: 0o755 });
  const { port } = engine.address() as net.AddressInfo;
  const child = spawn(script, [`127.0.0.1:${port}`], { env: { PULUMI_BACKEND_URL: backend } });
  started.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}

beforeEach(() => new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve)));

afterEach(() => {
  engine.close();
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

it("ends what a killed CLI has left of this stack, and only when its engine is gone", async () => {
  const own = stackBackendUrl("local");
  const left = [await plugin("pulumi-resource-command", own)];
  left.push(await plugin("pulumi-language-nodejs", own));
  const others = [await plugin("pulumi-resource-docker", stackBackendUrl("another"))];
  others.push(await plugin("pulumi-resources", ""), await plugin("something-else", own));
  expect(endLeftPlugins("local")).toBe(0);

  await new Promise((resolve) => engine.close(resolve));
  const ends = left.map((child) => new Promise((resolve) => child.once("exit", resolve)));
  expect(endLeftPlugins("local")).toBe(2);
  await Promise.all(ends);
  expect(others.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([
    null,
    null,
    null,
  ]);
});
