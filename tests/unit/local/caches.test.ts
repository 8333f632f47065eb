import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  BuildLog,
  cachesInUse,
  clearCaches,
  ensureEntry,
  entryFolder,
  isComplete,
  registerUse,
  releaseUse,
  runBuild,
} from "../../../infra/toolchain/caches";
import { ivyXml, proxyOptions } from "../../../infra/toolchain/jars";
import { downloadVariables } from "../../../infra/host/environment";
import { isAlive } from "../../../infra/host/processTable";
import { customModel } from "../../../infra/toolchain/customModel";
import { lockedJars, modelIdentity } from "../../../infra/toolchain/locks";
import { pipSettings } from "../../../infra/toolchain/uv";
import { exampleContract } from "../../defaults";
import { existingTools } from "../../../infra/toolchain/tools";
import { writeStepRecord } from "../../../infra/stack/records";
import { cacheFolder, checkout } from "../../../infra/host/folders";
import { claimStack } from "../../../infra/stack/claim";
import { forgetStack } from "../../../infra/stack/owner";

let folder: string;
let log: BuildLog;
const before = { ...process.env };

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-test-"));
  process.env.ENGINE_COMPARISON_CACHE = path.join(folder, "cache");
  process.env.ENGINE_COMPARISON_HOME = path.join(folder, "home");
  log = new BuildLog(path.join(folder, "log"));
});
afterEach(() => {
  process.env = { ...before };
  fs.rmSync(folder, { recursive: true, force: true });
});

describe("an entry of the cache", () => {
  it("is made once, by whoever comes first", async () => {
    let builds = 0;
    const make = () =>
      ensureEntry("kind/key", log, async ({ folder }) => {
        builds++;
        await sleep(100);
        fs.writeFileSync(path.join(folder, "content"), "x");
      });
    await Promise.all([make(), make(), make()]);
    await make();
    expect(builds).toBe(1);
    expect(isComplete("kind/key")).toBe(true);
  });

  it("is made again from the beginning after an attempt that did not come to its end", async () => {
    const failing = ensureEntry("kind/key", log, async ({ folder }) => {
      fs.writeFileSync(path.join(folder, "half"), "");
      throw new Error("out of luck");
    });
    await expect(failing).rejects.toThrow("out of luck");
    expect(isComplete("kind/key")).toBe(false);
    await ensureEntry("kind/key", log, async ({ folder }) => {
      expect(fs.readdirSync(folder)).toEqual([]);
    });
    expect(isComplete("kind/key")).toBe(true);
  });

  it("is made again where it is whole and of no use any more", async () => {
    const make = (usable: () => boolean) =>
      ensureEntry("kind/key", log, async ({ folder }) => void fs.mkdtempSync(`${folder}/`), usable);
    const one = fs.readdirSync(await make(() => true));
    expect(fs.readdirSync(await make(() => true))).toEqual(one);
    expect(fs.readdirSync(await make(() => false))).not.toEqual(one);
  });

  it("ends a build whose script is killed", async () => {
    const script = `
      const { BuildLog, runBuild } = require("./infra/toolchain/caches.ts");
      const log = new BuildLog(${JSON.stringify(log.file)});
      const command = "echo begun $$ >&2; exec sleep 600";
      runBuild({ log, folder: log.file }, { argv: ["/bin/sh", "-c", command], advice: "" });
      console.log("guarded");`;
    const child = spawn(process.execPath, ["--require", "tsx/cjs", "-e", script], {
      cwd: checkout,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const begun = () => /^begun (\d+)$/m.exec(fs.readFileSync(log.file, "utf8"))?.[1];
    await expect.poll(begun, { timeout: 20_000 }).toBeDefined();
    child.kill("SIGKILL");
    await expect.poll(() => isAlive(Number(begun())), { timeout: 20_000 }).toBe(false);
  }, 60_000);
});

describe("a Python environment", () => {
  const entry = "python/key";

  /** An environment whose interpreter is a link to a program that says its version. */
  async function made(config: string): Promise<(says: string) => void> {
    const system = path.join(folder, "python3");
    await ensureEntry(entry, log, async ({ folder }) => {
      fs.writeFileSync(path.join(folder, "pyvenv.cfg"), config);
      fs.mkdirSync(path.join(folder, "bin"));
      fs.symlinkSync(system, path.join(folder, "bin", "python"));
    });
    writeStepRecord("one", "python", { generation: "1", result: { entry } });
    return (says) => fs.writeFileSync(system, `#!/bin/sh\necho ${says}\n`, { mode: 0o755 });
  }

  it.each([
    ["by uv", "home = /usr/bin\nversion_info = 3.11.7\n"],
    ["by venv", "home = /usr/bin\nversion = 3.11.7\n"],
  ])("made %s exists until the system's Python is removed or upgraded", async (_, config) => {
    const system = await made(config);
    system("Python 3.11.7");
    expect(existingTools("one")).toEqual(["python"]);
    system("Python 3.11.9");
    expect(existingTools("one")).toEqual(["python"]);
    system("Python 3.12.1");
    expect(existingTools("one")).toEqual([]);
    fs.rmSync(path.join(folder, "python3"));
    expect(existingTools("one")).toEqual([]);
  });
});

it("a build that fails tells its last lines, what to do and where the log is", async () => {
  const argv = ["sh", "-c", "echo one; echo two >&2; exit 3"];
  const build = runBuild({ log, folder }, { argv, advice: "do this" });
  await expect(build).rejects.toThrow(
    /sh failed \(exit code 3\):[^]*\| one\n {2}\| two\n[^]*do this/,
  );
  await expect(
    runBuild({ log, folder }, { argv: ["/no/such/program"], advice: "" }),
  ).rejects.toThrow("ENOENT");
});

describe("the caches", () => {
  const entry = "python/key";

  it("are not cleared while a stack uses them", async () => {
    await ensureEntry(entry, log, async () => {});
    claimStack("one", "local");
    registerUse("one", "python");
    const stack = path.join(folder, "home", "one");
    expect(cachesInUse()).toEqual([stack]);
    expect(() => clearCaches()).toThrow(`in use by ${stack}`);
    expect(fs.existsSync(entryFolder(entry))).toBe(true);

    releaseUse("one", "python");
    releaseUse("one", "python");
    expect(cachesInUse()).toEqual([]);
    clearCaches();
    expect(fs.existsSync(entryFolder(entry))).toBe(false);
  });

  it("are free of a stack that is gone, and of one whose folder is another stack's by now", () => {
    claimStack("one", "local");
    registerUse("one", "python");
    forgetStack("one");
    expect(cachesInUse()).toEqual([]);
    claimStack("one", "local");
    expect(cachesInUse()).toEqual([]);
  });

  it("lose what the project keeps there, and nothing else", async () => {
    await ensureEntry(entry, log, async () => {});
    fs.writeFileSync(path.join(cacheFolder(), "thesis.tex"), "mine");
    clearCaches();
    expect(fs.readdirSync(cacheFolder()).sort()).toEqual([
      ".engine-comparison-cache",
      "thesis.tex",
    ]);
  });

  it("are never a folder that had something in it before", async () => {
    fs.mkdirSync(path.join(cacheFolder(), "datasets"), { recursive: true });
    fs.writeFileSync(path.join(cacheFolder(), "datasets", "thesis.tex"), "mine");
    const made = ensureEntry(entry, log, async () => {});
    await expect(made).rejects.toThrow("is not a cache of this project");
    expect(() => clearCaches()).toThrow("nothing was removed");
    expect(fs.existsSync(path.join(cacheFolder(), "datasets", "thesis.tex"))).toBe(true);
  });
});

describe("packages", () => {
  it("are installed by what pip's settings say of where packages are, and by nothing else of them", () => {
    const python = path.join(folder, "python");
    const said = [
      "global.index-url='https://me:p%40ss@index.example/simple'",
      "global.user='true'",
      "install.cert='/company.pem'",
      "install.target='/elsewhere'",
      ":env:.timeout='3'",
    ].join("\n");
    fs.writeFileSync(python, `#!/bin/sh\ncat <<'end'\n${said}\nend\n`, { mode: 0o755 });
    const index = "https://me:p%40ss@index.example/simple";
    const { pip, uv } = pipSettings(python);
    expect(pip).toEqual({ PIP_INDEX_URL: index, PIP_CERT: "/company.pem" });
    expect(uv).toEqual({ UV_DEFAULT_INDEX: index, SSL_CERT_FILE: "/company.pem" });
    expect(downloadVariables(pip, { PIP_INDEX_URL: "http://mine" })).toMatchObject({
      PIP_INDEX_URL: "http://mine",
      PIP_CERT: "/company.pem",
    });
    expect(pipSettings("/no/such/python")).toEqual({ pip: {}, uv: {} });
  });
});

describe("locked jars", () => {
  it("are read with their hashes, and a line of another form is refused", () => {
    const sha256 = "0".repeat(64);
    expect(lockedJars(`# why\n\ng:a:1 ${sha256}\n`)).toEqual([
      { group: "g", artifact: "a", version: "1", sha256 },
    ]);
    expect(lockedJars(`g:a:1 ${sha256} comet`)[0].folder).toBe("comet");
    expect(() => lockedJars("g:a:1")).toThrow("g:a:1");
    expect(lockedJars().length).toBeGreaterThan(30);
  });

  it("are asked of Ivy one by one, without what they depend on", () => {
    const xml = ivyXml([{ group: "g", artifact: "a", version: "1", sha256: "" }]);
    expect(xml).toContain(
      '<dependency org="g" name="a" rev="1" conf="default->master" transitive="false"',
    );
  });

  it("come through the proxy that the environment names", () => {
    expect(proxyOptions({})).toEqual([]);
    const direct = "-Dhttp.nonProxyHosts=localhost|*.corp|127.0.0.1|::1";
    const withPassword = "-Djdk.http.auth.tunneling.disabledSchemes=";
    expect(
      proxyOptions({ https_proxy: "http://proxy:3128", NO_PROXY: "localhost, .corp" }),
    ).toEqual(["-Dhttps.proxyHost=proxy", "-Dhttps.proxyPort=3128", direct, withPassword]);
    expect(proxyOptions({ ALL_PROXY: "http://me:p%40ss@proxy:3128" })).toEqual(
      expect.arrayContaining([
        ...["-Dhttp.proxyHost=proxy", "-Dhttps.proxyHost=proxy"],
        ...["-Dhttp.proxyUser=me", "-Dhttp.proxyPassword=p@ss"],
      ]),
    );
  });
});

describe("the model's identity", () => {
  const tensorsIn = (name: string) =>
    Buffer.from(`a\x0a\x08location\x12${String.fromCharCode(name.length)}${name}b`, "latin1");

  const contract = (changes: Readonly<Record<string, unknown>> = {}) =>
    JSON.stringify({ ...exampleContract(), ...changes });
  const encoder = contract({ labels: null, outputs: { logits: null, vector: "features" } });

  const refusal = (modelPath: string) => {
    try {
      return `taken: ${customModel(modelPath).hash}`;
    } catch (error) {
      return (error as Error).message;
    }
  };

  it("is that of the pinned files by default, and of all its files for one's own", () => {
    expect(modelIdentity({ modelPath: undefined })).toMatch(/^[0-9a-f]{16}$/);
    const modelPath = path.join(folder, "own.onnx");
    const seen = new Set<string>();
    const change = (name: string, content: string | Buffer) => {
      fs.writeFileSync(path.join(folder, name), content);
      const { hash, files } = customModel(modelPath);
      expect(seen).not.toContain(hash);
      expect(modelIdentity({ modelPath })).toBe(hash);
      seen.add(hash);
      return [...files.keys()];
    };
    fs.writeFileSync(modelPath, "ab");
    expect(change("own.json", encoder)).toEqual(["model.onnx", "model.json"]);
    expect(change("own.onnx", "abc")).toHaveLength(2);
    fs.writeFileSync(path.join(folder, "names.json"), '["a"]');
    const classifier = contract({ labels: "names.json" });
    expect(change("own.json", classifier)).toEqual(["model.onnx", "model.json", "names.json"]);
    expect(change("own.json", contract({ labels: "names.json", crop: 0.5 }))).toHaveLength(3);
    expect(change("names.json", '["b"]')).toHaveLength(3);
    fs.writeFileSync(path.join(folder, "w.onnx.data"), "1");
    const all = ["model.onnx", "model.json", "w.onnx.data", "names.json"];
    expect(change("own.onnx", tensorsIn("w.onnx.data"))).toEqual(all);
    expect(change("w.onnx.data", "2")).toEqual(all);
    expect(() => customModel(modelPath, "another")).toThrow("changed while it was being deployed");
  });

  it("is refused where there is no such file, or one of its files is missing or elsewhere", () => {
    expect(() => customModel("no/such.onnx")).toThrow('modelPath is "no/such.onnx"');
    const modelPath = path.join(folder, "own.onnx");
    fs.writeFileSync(path.join(folder, "own.json"), encoder);
    fs.writeFileSync(modelPath, tensorsIn("gone.data"));
    expect(() => customModel(modelPath)).toThrow(/cannot be read .*gone\.data/);
    fs.writeFileSync(modelPath, tensorsIn("../x.data"));
    expect(() => customModel(modelPath)).toThrow('keeps tensors in "../x.data"');
  });

  it("is refused without a contract, with the one to write", () => {
    const modelPath = path.join(folder, "bare.onnx");
    fs.writeFileSync(modelPath, "abc");
    const example = contract();
    expect(refusal(modelPath)).toMatch(/bare\.json does not say what the model takes .*ENOENT/);
    expect(refusal(modelPath)).toContain(example);
    fs.writeFileSync(path.join(folder, "bare.json"), example);
    fs.writeFileSync(path.join(folder, "labels.json"), "[]");
    expect(customModel(modelPath).files).toHaveLength(3);
  });

  it("is refused with all that is missing or wrong in its contract", () => {
    const modelPath = path.join(folder, "wrong.onnx");
    fs.writeFileSync(modelPath, "abc");
    const wrong = { size: "224", crop: 2, mean: [0.5, 0.5], outputs: { logits: 7 }, sizes: 1 };
    const labels = "../labels.json";
    fs.writeFileSync(
      path.join(folder, "wrong.json"),
      contract({ ...wrong, labels, licence: undefined }),
    );
    const what = refusal(modelPath);
    const all = ["size", "crop", "mean", "outputs: logits", "outputs: vector", "labels", "licence"];
    for (const field of all) expect(what).toMatch(new RegExp(`[:;] ${field}: `));
    expect(what).toContain('"sizes"');
  });
});
