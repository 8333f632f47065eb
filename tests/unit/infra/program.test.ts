import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import program from "../../../index";
import { ports } from "../../../infra/settings/ports";
import { secretKeys } from "../../../infra/settings/schema";
import { defaultConfig } from "../../defaults";
import { freshHome } from "../cli/home";

const home = freshHome();
const search = process.env.PATH;

beforeEach(() => pulumi.runtime.setMocks(noResources, "engine-comparison", "local", false));
afterAll(() => void (process.env.PATH = search));

/** Every registration is a failure here. */
const noResources: pulumi.runtime.Mocks = {
  newResource: ({ type, name }) => {
    throw new Error(`${type} ${name} is registered`);
  },
  call: ({ token }) => {
    throw new Error(`${token} is called`);
  },
};

/** Runs the program of stack `local`, with `programs` (name to shell script) alone on PATH. */
async function failure(
  config: Record<string, string>,
  programs: Record<string, string>,
  encrypted: readonly string[] = [],
) {
  const bin = path.join(home(), "..", `${path.basename(home())}-bin`);
  try {
    fs.mkdirSync(bin);
    for (const [name, script] of Object.entries(programs)) {
      fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    process.env.PATH = bin;
    pulumi.runtime.setAllConfig(defaultConfig({ sparkWorkerMemory: "256m", ...config }), [
      ...encrypted.map((key) => `engine-comparison:${key}`),
    ]);
    return await program().then(
      () => "nothing failed",
      (error: Error) => {
        // The SDK formats any trace, for which Node can need a minute.
        expect(error.stack).toBeUndefined();
        return error.message;
      },
    );
  } finally {
    process.env.PATH = search;
    fs.rmSync(bin, { recursive: true });
  }
}

/** Takes MinIO's port at some offset that may be set. */
async function takenPort(): Promise<{ offset: number; port: number; server: net.Server }> {
  const offset = 20_000 + Math.floor(Math.random() * 20_000);
  const port = ports(offset).minio.api;
  const server = net.createServer();
  const taken = await new Promise<boolean>((done) => {
    server.once("error", () => done(false));
    server.listen({ port, host: "127.0.0.1" }, () => done(true));
  });
  return taken ? { offset, port, server } : takenPort();
}

/** A daemon as an answer to `docker`, whatever is asked. */
const docker = [
  'case "$1" in',
  "context) echo unix:///var/run/docker.sock ;;",
  `info) echo '${JSON.stringify({ ID: "A", ServerVersion: "20.10.24", OSType: "linux", NCPU: 4, MemTotal: 2 ** 36 })}' ;;`,
  "esac",
].join("\n");

describe("a deployment that can't begin leaves nothing behind", () => {
  it("on target local without the GPU that is required", async () => {
    expect(await failure({ target: "local", gpu: "required" }, {})).toContain("gpu is required");
    expect(fs.readdirSync(home())).toEqual([]);
  });

  it("on target docker where a port is taken", async () => {
    const { offset, port, server } = await takenPort();
    const config = { target: "docker", gpu: "off", portOffset: String(offset) };
    const said = await failure(config, { docker });
    server.close();
    expect(said).toContain(`port ${port}`);
    expect(fs.readdirSync(home())).toEqual([]);
  });

  it("on target docker without Docker", async () => {
    expect(await failure({ target: "docker" }, {})).toContain("needs a Docker daemon");
    expect(fs.readdirSync(home())).toEqual([]);
  });

  it("with settings that leave nothing to run", async () => {
    const said = await failure({ target: "local", engines: '["polars"]', matrix: "seed" }, {});
    expect(said).toContain("leave nothing to run");
    expect(fs.readdirSync(home())).toEqual([]);
  });

  it.each(secretKeys)("with %s in clear in the stack's file", async (key) => {
    // So that the program goes no further once it takes the secret.
    const config = { target: "local", gpu: "off", matrix: "seed", engines: '["polars"]' };
    const set = { ...config, [key]: "in-clear-7f3a" };
    const said = await failure(set, {});
    expect(said).toContain(`engine-comparison:${key} is set without encryption`);
    expect(said).toContain(`pulumi config set --secret ${key}`);
    expect(said).not.toContain("in-clear");
    expect(fs.readdirSync(home())).toEqual([]);
    expect(await failure(set, {}, [key])).not.toContain("encryption");
  });
});
