import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  datasetEnvironment,
  downloadEnvironment,
  plainEnvironment,
  toolEnvironment,
} from "../../../infra/host/environment";
import { gpuFacts } from "../../../infra/host/gpu";
import { inspectJava } from "../../../infra/host/runtimes";
import { askPython } from "../../../infra/host/runtimes";
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

  it("holds what services need and no secret, proxy or setting of other programs", () => {
    expect(plainEnvironment(caller)).toEqual({ PATH: "/bin", LC_ALL: "C", JAVA_HOME: "/jdk" });
  });

  it("holds what opens a state for the Pulumi CLI, and not the configuration with its secrets", () => {
    const { PATH, LC_ALL, JAVA_HOME, https_proxy } = caller;
    const state = { PULUMI_BACKEND_URL: "s3://state", PULUMI_CONFIG_PASSPHRASE_FILE: "/phrase" };
    const config = { PULUMI_CONFIG: "{}", PULUMI_CONFIG_SECRET_KEYS: "[]" };
    expect(toolEnvironment("pulumi", { ...caller, ...state, ...config })).toEqual({
      ...{ PATH, LC_ALL, JAVA_HOME, https_proxy },
      PULUMI_CONFIG_PASSPHRASE: caller.PULUMI_CONFIG_PASSPHRASE,
      AWS_SECRET_ACCESS_KEY: caller.AWS_SECRET_ACCESS_KEY,
      ...state,
    });
  });

  it("holds proxies and package sources for what downloads", () => {
    const env = downloadEnvironment(caller);
    expect(env).toMatchObject({
      https_proxy: caller.https_proxy,
      PIP_INDEX_URL: "http://index",
      GOPROXY: "http://go",
    });
    expect(JSON.stringify(env)).not.toContain("secret");
  });

  it("holds proxies and certificates, and no package sources, for what makes datasets", () => {
    const { LC_ALL, PATH, JAVA_HOME, https_proxy } = caller;
    const given = { ...caller, SSL_CERT_FILE: "/company.pem" };
    const expected = { LC_ALL, PATH, JAVA_HOME, https_proxy, SSL_CERT_FILE: "/company.pem" };
    expect(datasetEnvironment(given)).toEqual({
      ...expected,
      REQUESTS_CA_BUNDLE: "/company.pem",
    });
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
  const ofDocker = ["DOCKER_CONFIG", "DOCKER_HOST", "https_proxy"];
  it.each<[string, () => unknown, string[]]>([
    ["nvidia-smi", gpuFacts, []],
    ["python3", () => askPython("python3"), []],
    ["java", () => inspectJava(bin), []],
    ["git", codeVersion, ["GIT_CONFIG_GLOBAL"]],
    ["aws", () => assumeRole("role", "region", "me"), ["AWS_PAGER", "AWS_PROFILE", "https_proxy"]],
    ["docker context", daemonHost, ["DOCKER_CONFIG", "DOCKER_CONTEXT", "https_proxy"]],
    ["docker info", () => daemonInfo(host), ofDocker],
    ["docker run", () => new Docker(host).run(["ps"]), ofDocker],
    ["docker try", () => new Docker(host).try(["ps"]), ofDocker],
    ["docker both", () => new Docker(host).both(["ps"], 5_000), ofDocker],
    ["docker tail", () => new Docker(host).tail("app", 1), ofDocker],
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
