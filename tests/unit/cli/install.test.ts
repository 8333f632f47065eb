import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { checkout } from "../../../infra/host/folders";

interface Entry {
  readonly version: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}
interface Lock {
  readonly packages: Readonly<Record<string, Entry>>;
}
interface Install {
  nodeProblem(version: string): readonly string[] | undefined;
  isCurrent(
    lock: Lock,
    installed: Lock | undefined,
    machine?: { readonly platform: string; readonly arch: string },
  ): boolean;
  readonly minNode: readonly number[];
}

let install: Install;
beforeAll(async () => {
  const file = path.join(checkout, "cli", "install.mjs");
  install = (await import(pathToFileURL(file).href)) as Install;
});

describe("Node's version", () => {
  it.each(["20.19.0", "20.20.2", "22.0.0", "24.11.1"])("%s will do", (version) => {
    expect(install.nodeProblem(version)).toBeUndefined();
  });

  it.each(["18.20.8", "20.18.3", "8.0.0"])("%s is refused, with what to do", (version) => {
    const problem = install.nodeProblem(version)?.join("\n");
    expect(problem).toContain(`Node ${version} is too old: 20.19.0 or later is needed`);
    expect(problem).toContain("https://nodejs.org");
  });

  it("is checked against what package.json asks for", () => {
    const text = fs.readFileSync(path.join(checkout, "package.json"), "utf8");
    const { engines } = JSON.parse(text) as { engines: { node: string } };
    expect(install.minNode.join(".")).toContain(engines.node.replace(">=", ""));
  });
});

it("another system is refused before anything is downloaded", () => {
  const script = `
    Object.defineProperty(process, "platform", { value: "darwin" });
    import("./cli/install.mjs").then(({ begin }) => begin("/nonexistent", () => console.log("begun")));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
    cwd: checkout,
    encoding: "utf8",
  });
  expect(stderr).toContain("macOS is not supported\n  why: MinIO, Spark and Ray are run as Linux");
  expect([status, stdout]).toEqual([2, ""]);
});

describe("what was set for other programs", () => {
  /** What `begin` makes of an environment, in a checkout where npm is asked, which only records it. */
  function begun(environment: Readonly<Record<string, string>>) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-install-"));
    const seen = path.join(folder, "seen.json");
    const npm = path.join(folder, "npm.js");
    const record = "JSON.stringify({ env: process.env, argv: process.argv.slice(2) })";
    fs.writeFileSync(npm, `require("fs").writeFileSync(${JSON.stringify(seen)}, ${record});`);
    const lock = { packages: { "": {}, a: { version: "1.0.0" } } };
    fs.writeFileSync(path.join(folder, "package-lock.json"), JSON.stringify(lock));
    const script = `import("./cli/install.mjs").then(({ begin }) => begin(${JSON.stringify(folder)}, () => console.log("begun")));`;
    const done = spawnSync(process.execPath, ["-e", script], {
      ...{ cwd: checkout, encoding: "utf8" },
      env: { PATH: process.env.PATH, npm_execpath: npm, ...environment },
    });
    const said = JSON.parse(fs.readFileSync(seen, "utf8")) as {
      env: Record<string, string>;
      argv: string[];
    };
    fs.rmSync(folder, { recursive: true });
    return { ...said, ...done };
  }

  it("is forgotten, but for where npm's packages are", () => {
    const kept = {
      npm_config_registry: "http://registry",
      "npm_config_@me:registry": "http://mine",
      "npm_config_//registry/:_authToken": "token",
      npm_config_cafile: "/company.pem",
      npm_config_https_proxy: "http://proxy",
      npm_config_userconfig: "/npmrc",
      npm_config_fetch_retries: "9",
    };
    const others = {
      npm_config_os: "darwin",
      npm_config_install_strategy: "linked",
      npm_config_workspace: "another",
      NPM_CONFIG_LOCATION: "global",
      npm_config_package_lock_only: "true",
      PULUMI_NODEJS_TSCONFIG_PATH: "/nonexistent",
      PULUMI_OPTION_PARALLEL: "1",
      TS_NODE_PROJECT: "/nonexistent",
      TMPDIR: "/nonexistent",
    };
    const { env } = begun({ ...kept, ...others });
    expect(env).toMatchObject(kept);
    for (const name of Object.keys(others)) expect(env).not.toHaveProperty(name);
  });

  it("as a folder is the same for children, which start in the checkout", () => {
    const given = { ENGINE_COMPARISON_HOME: "a/../state", XDG_CACHE_HOME: "", HOME: "" };
    const { env } = begun(given);
    expect(env.HOME).toBe(os.userInfo().homedir);
    expect(env.ENGINE_COMPARISON_HOME).toBe(path.join(checkout, "state"));
    expect(env.XDG_CACHE_HOME).toBe("");
  });

  it("in an .npmrc does not change what is installed, and another outcome is told", () => {
    const { argv, status, stdout, stderr } = begun({});
    expect(argv).toEqual(
      expect.arrayContaining([
        ...["--no-workspaces", "--location=user", "--install-strategy=hoisted"],
        ...[`--os=${process.platform}`, `--cpu=${process.arch}`],
      ]),
    );
    expect(stderr).toContain("npm installed other packages: look in `npm config list`");
    expect([status, stdout]).toEqual([1, ""]);
  });
});

describe("node_modules", () => {
  const root = { version: "0.1.0" };
  const a = { version: "1.0.0", integrity: "sha512-a" };
  const b = { version: "2.0.0", integrity: "sha512-b" };
  const lock = (packages: Readonly<Record<string, Entry>>) => ({
    packages: { "": root, ...packages },
  });

  it("is installed when it was never, or not to the end", () => {
    expect(install.isCurrent(lock({ a }), undefined)).toBe(false);
  });

  it("stays when it is what package-lock.json says", () => {
    expect(install.isCurrent(lock({ a, b }), { packages: { a, b } })).toBe(true);
  });

  it.each([
    ["a package is missing", { a }],
    ["a package has another version", { a, b: { ...b, version: "2.0.1" } }],
    ["a package has another content", { a, b: { ...b, integrity: "sha512-c" } }],
  ])("is installed again when %s", (_what, packages) => {
    expect(install.isCurrent(lock({ a, b }), { packages })).toBe(false);
  });

  it("may lack what a platform or --omit leaves out, but not have another of it", () => {
    const wanted = lock({ a, b: { ...b, optional: true }, c: { ...b, dev: true } });
    expect(install.isCurrent(wanted, { packages: { a } })).toBe(true);
    const other = { packages: { a, b: { ...b, version: "9.0.0" } } };
    expect(install.isCurrent(wanted, other)).toBe(false);
  });

  it("is installed again when it was copied from another platform", () => {
    const mac = { ...b, optional: true, os: ["darwin"], cpu: ["arm64"] };
    const linux = { ...mac, os: ["linux"], cpu: ["x64"] };
    const wanted = lock({ a, mac, linux });
    const copied = { packages: { a, mac } };
    const here = (platform: string, arch: string) =>
      install.isCurrent(wanted, copied, { platform, arch });
    expect(here("darwin", "arm64")).toBe(true);
    expect(here("linux", "x64")).toBe(false);
    expect(here("linux", "riscv64")).toBe(true);
  });
});
