import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  datasetVariables,
  downloadVariables,
  ownEnvironment,
  proxies,
  toolEnvironment,
} from "../../../infra/host/environment";
import { gpuFacts } from "../../../infra/host/gpu";
import { inspectJava } from "../../../infra/host/runtimes";
import { askPython } from "../../../infra/host/runtimes";
import { shortFolder } from "../../../infra/stack/files";
import { assumeRole } from "../../../infra/stores/access";
import { daemonHost, daemonInfo, Docker } from "../../../infra/targets/docker/daemon";
import { codeVersion } from "../../../pipelines/inputs";

describe("the environment of a child", () => {
  const caller = {
    PATH: "/bin",
    LC_ALL: "C",
    JAVA_HOME: "/jdk",
    https_proxy: "http://user:pass@proxy:3128",
    PIP_INDEX_URL: "http://index",
    GOPROXY: "http://go",
    PULUMI_CONFIG_PASSPHRASE: "secret",
    AWS_SECRET_ACCESS_KEY: "secret",
    GITHUB_TOKEN: "secret",
    RAY_ADDRESS: "elsewhere",
    PYTHONPATH: "/elsewhere",
  };

  const folders = { home: "/stack/home", temporary: "/tmp/ec/tmp" };

  it("is made from nothing for services and jobs, but for where programs are", () => {
    const user = os.userInfo().username;
    expect(ownEnvironment(folders, caller)).toEqual({
      PATH: "/bin",
      HOME: "/stack/home",
      TMPDIR: "/tmp/ec/tmp",
      USER: user,
      LOGNAME: user,
      LANG: "C.UTF-8",
      LC_ALL: "C.UTF-8",
      TZ: "UTC",
      PYTHONNOUSERSITE: "1",
      JDK_JAVA_OPTIONS: '"-Duser.home=/stack/home" "-Djava.io.tmpdir=/stack/home/java"',
    });
  });

  it("holds what opens a state for the Pulumi CLI, and not the configuration with its secrets", () => {
    const { PATH, LC_ALL, JAVA_HOME } = caller;
    const state = { PULUMI_BACKEND_URL: "s3://state", PULUMI_CONFIG_PASSPHRASE_FILE: "/phrase" };
    const config = { PULUMI_CONFIG: "{}", PULUMI_CONFIG_SECRET_KEYS: "[]" };
    expect(toolEnvironment("pulumi", { ...caller, ...state, ...config })).toEqual({
      ...{ PATH, LC_ALL, JAVA_HOME, ...proxies(caller) },
      PULUMI_CONFIG_PASSPHRASE: caller.PULUMI_CONFIG_PASSPHRASE,
      AWS_SECRET_ACCESS_KEY: caller.AWS_SECRET_ACCESS_KEY,
      ...state,
    });
  });

  it("holds proxies and package sources for what downloads, and no other setting of pip, uv or Go", () => {
    const others = {
      PIP_USER: "1",
      PIP_TARGET: "/x",
      UV_OFFLINE: "1",
      UV_PYTHON: "/x",
      GOFLAGS: "-x",
    };
    const env = downloadVariables({}, { ...caller, ...others });
    expect(env).toMatchObject({
      https_proxy: caller.https_proxy,
      PIP_INDEX_URL: "http://index",
      GOPROXY: "http://go",
      PIP_CONFIG_FILE: "/dev/null",
      UV_NO_CONFIG: "1",
      GOENV: "off",
    });
    expect(Object.keys(env)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^GOFLAGS/)]),
    );
    for (const name of Object.keys(others)) expect(env).not.toHaveProperty(name);
    expect(JSON.stringify(env)).not.toContain("secret");
  });

  it("trusts for downloads what SSL_CERT_FILE has, unless a program has its own variable for it", () => {
    const given = { SSL_CERT_FILE: "/company.pem" };
    expect(downloadVariables({}, given)).toMatchObject({ PIP_CERT: "/company.pem", ...given });
    expect(downloadVariables({}, { ...given, PIP_CERT: "/pip.pem" }).PIP_CERT).toBe("/pip.pem");
    expect(datasetVariables(given)).toEqual({ REQUESTS_CA_BUNDLE: "/company.pem", ...given });
  });

  it.each([
    [{ https_proxy: "http://p" }, "127.0.0.1,localhost,::1"],
    [{ https_proxy: "http://p", no_proxy: "a, 127.0.0.1 ,b" }, "a,127.0.0.1,b,localhost,::1"],
    [{ HTTPS_PROXY: "http://p", NO_PROXY: "a" }, "a,127.0.0.1,localhost,::1"],
    [{ https_proxy: "http://p", no_proxy: "*" }, "*"],
  ])("never has loopback behind a proxy (%j)", (given: NodeJS.ProcessEnv, expected) => {
    const named = { https_proxy: "http://p", HTTPS_PROXY: "http://p" };
    expect(proxies(given)).toEqual({ ...named, no_proxy: expected, NO_PROXY: expected });
    expect(proxies({})).toEqual({});
  });

  it("names the proxy for all addresses by what every program reads", () => {
    const found = proxies({ ALL_PROXY: "http://all", HTTPS_PROXY: "http://p", http_proxy: "" });
    expect(found).toMatchObject({ https_proxy: "http://p", HTTPS_PROXY: "http://p" });
    expect(found).toMatchObject({ http_proxy: "http://all", HTTP_PROXY: "http://all" });
    expect(found).not.toHaveProperty("ALL_PROXY");
  });
});

describe("a program that is started", () => {
  const { env } = process;
  let bin: string;
  /** Where the fake programs write their environments. */
  let seen: string;

  beforeEach(() => {
    bin = fs.mkdtempSync(path.join(os.tmpdir(), "programs-"));
    seen = path.join(bin, "seen");
    fs.mkdirSync(path.join(bin, "bin"));
    const script = `#!/bin/sh\n/usr/bin/env -0 >> "${seen}"\n`;
    for (const name of ["aws", "bin/java", "docker", "git", "go", "nvidia-smi", "python3"]) {
      fs.writeFileSync(path.join(bin, name), script, { mode: 0o755 });
    }
    process.env = {
      PATH: bin,
      PULUMI_CONFIG: '{"engine-comparison:s3SecretKey":"hush"}',
      PULUMI_CONFIG_SECRET_KEYS: '["engine-comparison:s3SecretKey"]',
      PULUMI_CONFIG_PASSPHRASE: "hush",
      PULUMI_CONFIG_PASSPHRASE_FILE: "/hush",
      PULUMI_ACCESS_TOKEN: "hush",
      ENGINE_COMPARISON_HOME: "/state",
      GITHUB_TOKEN: "hush",
      GIT_DIR: "/another/checkout",
      GIT_CONFIG_GLOBAL: "/gitconfig",
      AWS_PROFILE: "me",
      DOCKER_CONFIG: "/docker-config",
      DOCKER_CONTEXT: "elsewhere",
      https_proxy: "http://proxy",
    };
  });
  afterEach(() => {
    process.env = env;
    fs.rmSync(bin, { recursive: true });
  });

  const host = "unix:///var/run/docker.sock";
  const proxied = ["https_proxy", "no_proxy"];
  const ofDocker = ["DOCKER_CONFIG", "DOCKER_HOST", ...proxied];
  it.each<[string, () => unknown, string[]]>([
    ["nvidia-smi", gpuFacts, []],
    ["python3", () => askPython("python3"), []],
    ["java", () => inspectJava(bin), []],
    ["git", codeVersion, ["GIT_CONFIG_GLOBAL"]],
    ["aws", () => assumeRole("role", "region", "me"), ["AWS_PAGER", "AWS_PROFILE", ...proxied]],
    ["docker context", daemonHost, ["DOCKER_CONFIG", "DOCKER_CONTEXT", ...proxied]],
    ["docker info", () => daemonInfo(host), ofDocker],
    ["docker run", () => new Docker(host).run(["ps"]), ofDocker],
    ["docker try", () => new Docker(host).try(["ps"]), ofDocker],
    ["docker both", () => new Docker(host).both(["ps"], 5_000), ofDocker],
  ])("%s gets its own variables and no secret of Pulumi", (_name, start, own) => {
    try {
      start();
    } catch {
      // the fake program says nothing that makes sense
    }
    const got = fs.readFileSync(seen, "utf8");
    expect(got).not.toMatch(/hush|PULUMI|ENGINE_COMPARISON|GIT_DIR/);
    const names = got.split("\0").map((entry) => entry.split("=")[0]);
    expect(names).toEqual(expect.arrayContaining(["PATH", ...own]));
    const specific = names.filter((name) => /^(AWS|DOCKER|GIT|GO)|proxy$/.test(name));
    expect([...new Set(specific)].sort()).toEqual(own);
  });
});

it("the folder for a stack's sockets is the same in all sessions, whatever TMPDIR is", () => {
  const before = shortFolder("one");
  vi.stubEnv("TMPDIR", "/another");
  expect(shortFolder("one")).toBe(before);
  vi.unstubAllEnvs();
});
