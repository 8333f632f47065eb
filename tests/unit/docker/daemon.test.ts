import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkLocal,
  anotherDaemon,
  daemonHost,
  daemonInfo,
  hasContainerdStore,
} from "../../../infra/targets/docker/daemon";

const { PATH } = process.env;
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "daemon-"));
  process.env.PATH = `${folder}:/usr/bin:/bin`;
});

afterEach(() => {
  process.env.PATH = PATH;
  fs.rmSync(folder, { recursive: true });
});

/** Puts a `docker` on PATH that runs `script`. */
function fakeDocker(script: string): void {
  fs.writeFileSync(path.join(folder, "docker"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe("a machine without Docker", () => {
  it("is told in one message what to do instead: npm start", () => {
    process.env.PATH = folder;
    expect(() => daemonHost()).toThrow(
      /^target docker needs a Docker daemon: the `docker` command is not on PATH\n {2}why: .*\n {2}do: {2}start Docker .*run `npm start`/,
    );
  });

  it("is told the same where no daemon answers", () => {
    fakeDocker(
      'echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." >&2; exit 1',
    );
    expect(() => daemonInfo("unix:///var/run/docker.sock")).toThrow(
      /^target docker needs a Docker daemon: Cannot connect to the Docker daemon at .*\n[^]*run `npm start`/,
    );
  });

  it("is told the same by a docker that exits 0 with errors", () => {
    fakeDocker(`echo '{"ServerErrors":["permission denied while trying to connect"]}'`);
    expect(() => daemonInfo("unix:///x")).toThrow("permission denied while trying to connect");
  });
});

it("Podman behind the name docker is named, with what else to use", () => {
  fakeDocker(
    '[ "$1" = --version ] && echo podman version 4.3.1 && exit 0\n' +
      'echo "Error: unrecognized command \\`podman $1\\`" >&2; exit 125',
  );
  expect(() => daemonHost()).toThrow(
    /^target docker needs a Docker daemon, and the command `docker` is Podman's\n[^]*install Docker Engine/,
  );
});

it("Podman's socket behind Docker's command is named, too, and an old Docker is not", () => {
  const daemon = (component: string) =>
    fakeDocker(
      `[ "$1" = version ] && echo '[{"Name":"${component}"}]' || echo '{"ServerVersion":"4.3.1"}'`,
    );
  daemon("Podman Engine");
  expect(() => daemonInfo("unix:///run/podman/podman.sock")).toThrow(
    /^target docker needs a Docker daemon, and the daemon at .*podman.sock is Podman's\n/,
  );
  daemon("Engine");
  expect(daemonInfo("unix:///run/docker.sock").ServerVersion).toBe("4.3.1");
});

describe("the daemon", () => {
  it("is the one of the docker command's context, and every question goes there", () => {
    fakeDocker(
      '[ "$1" = context ] && echo unix:///run/user/1000/docker.sock || echo "{\\"ServerVersion\\":\\"1\\",\\"Name\\":\\"$DOCKER_HOST$DOCKER_CONTEXT\\"}"',
    );
    process.env.DOCKER_CONTEXT = "other";
    try {
      const host = daemonHost();
      expect(host).toBe("unix:///run/user/1000/docker.sock");
      expect(daemonInfo(host)).toMatchObject({ Name: host });
    } finally {
      delete process.env.DOCKER_CONTEXT;
    }
  });

  it.each([
    "unix:///var/run/docker.sock",
    "npipe:////./pipe/docker_engine",
    "tcp://127.0.0.1:2375",
    "tcp://localhost:2376",
  ])("may be on this machine: %s", (host) => expect(checkLocal(host)).toBe(host));

  it.each(["ssh://me@server", "tcp://10.0.0.5:2376", "tcp://127.0.0.1.example:1"])(
    "may not be on another one, whose loopback interface is not ours: %s",
    (host) =>
      expect(() => checkLocal(host)).toThrow(`Docker's daemon is at ${host}, on another machine`),
  );

  it("stays the stack's own", () => {
    const [here, there] = [
      { host: "unix:///a", id: "A" },
      { host: "unix:///b", id: "B" },
    ];
    expect(anotherDaemon("dev", undefined, here)).toEqual([]);
    expect(anotherDaemon("dev", { ...here, host: "unix:///moved" }, here)).toEqual([]);
    expect(anotherDaemon("dev", here, there)[0].what).toContain(
      "stack dev is on the Docker daemon unix:///a (A), and this is unix:///b (B)",
    );
  });
});

describe("containerd's image store", () => {
  it("is known by its driver", () => {
    const overlay = [["Backing Filesystem", "extfs"]] as const;
    expect(hasContainerdStore({})).toBe(false);
    expect(hasContainerdStore({ DriverStatus: overlay })).toBe(false);
    expect(
      hasContainerdStore({ DriverStatus: [["driver-type", "io.containerd.snapshotter.v1"]] }),
    ).toBe(true);
  });
});
