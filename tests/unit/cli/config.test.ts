import * as fs from "node:fs";
import * as path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { secretKeys } from "../../../infra/settings/schema";
import { stackFiles } from "../../../infra/stack/files";
import { loadConfiguration, settingsOf } from "../../../cli/config";
import { readProject, type Project } from "../../../cli/project";
import { writeStackFile } from "../../../cli/project";
import { Unfit, WrongUse } from "../../../cli/errors";
import { freshHome } from "./home";

const home = freshHome();
const stack = "local";
let project: Project;

const pulumiYaml = `
name: engine-comparison
runtime: nodejs
config:
  fareAbove: { type: integer, default: 30 }
  engines: { type: array, items: { type: string }, default: [spark, ray] }
  gpu: { type: string, default: auto }
  modelPath: { type: string, default: "" }
  minioRootPassword: { type: string, default: "" }
`;

beforeEach(() => {
  const folder = path.join(home(), "checkout");
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "Pulumi.yaml"), pulumiYaml);
  project = readProject(folder);
  process.env.PULUMI_CONFIG_PASSPHRASE = "correct horse";
});

function commit(config: string): void {
  fs.writeFileSync(path.join(project.folder, "Pulumi.local.yaml"), `config:\n${config}`);
}

async function set(...assignments: string[]) {
  const configuration = await loadConfiguration(project, stack, assignments);
  await writeStackFile(stackFiles(stack).settings, project, stack, configuration.overlay);
  return configuration.all;
}

const load = async () => (await loadConfiguration(project, stack)).all;

describe("the configuration of a stack", () => {
  it("is what Pulumi.yaml says where nothing is set, lists as JSON", async () => {
    expect(await load()).toEqual({
      "engine-comparison:fareAbove": "30",
      "engine-comparison:engines": '["spark","ray"]',
      "engine-comparison:gpu": "auto",
      "engine-comparison:modelPath": "",
      "engine-comparison:minioRootPassword": "",
    });
  });

  it("follows the stack's file over the defaults, and --config over both", async () => {
    commit('  engine-comparison:fareAbove: 40\n  engine-comparison:gpu: "off"\n');
    const all = await set("fareAbove=50");
    expect(all["engine-comparison:fareAbove"]).toBe("50");
    expect(all["engine-comparison:gpu"]).toBe("off");
  });

  it("keeps what --config set, and takes it back with key=", async () => {
    commit("  engine-comparison:fareAbove: 40\n");
    await set("fareAbove=50", "engine-comparison:gpu=off");
    expect(await load()).toMatchObject({
      "engine-comparison:fareAbove": "50",
      "engine-comparison:gpu": "off",
    });
    await set("fareAbove=");
    expect(await load()).toMatchObject({
      "engine-comparison:fareAbove": "40",
      "engine-comparison:gpu": "off",
    });
  });

  it("takes lists with commas or as JSON", async () => {
    const text = '["spark","daft"]';
    expect((await set("engines=spark, daft"))["engine-comparison:engines"]).toBe(text);
    expect((await set(`engines=${text}`))["engine-comparison:engines"]).toBe(text);
    expect(await load()).toMatchObject({ "engine-comparison:engines": text });
  });

  it("keeps values in the types of Pulumi.yaml, so that the Pulumi CLI takes the file", async () => {
    await set("fareAbove=7", "engines=spark", "gpu=off", "modelPath=12", "aws:region=eu-west-1");
    const file = parse(fs.readFileSync(stackFiles(stack).settings, "utf8")) as { config: unknown };
    expect(file.config).toEqual({
      "engine-comparison:fareAbove": 7,
      "engine-comparison:engines": ["spark"],
      "engine-comparison:gpu": "off",
      "engine-comparison:modelPath": "12",
      "aws:region": "eu-west-1",
    });
    expect(fs.readFileSync(stackFiles(stack).settings, "utf8")).toContain('gpu: "off"');
  });

  it.each(["fareAbove", "=3", "fare above=3"])("%j is no assignment", async (assignment) => {
    const loading = loadConfiguration(project, stack, [assignment]);
    await expect(loading).rejects.toThrow(WrongUse);
  });

  it("is checked as a whole, and nothing is kept by checking", async () => {
    const loaded = await loadConfiguration(project, stack, ["fareAbove=no"]);
    expect(() => settingsOf(loaded)).toThrow(Unfit);
    expect(() => settingsOf(loaded)).toThrow('engine-comparison:fareAbove is "no"');
    expect(fs.existsSync(stackFiles(stack).settings)).toBe(false);
  });
});

describe("a secret", () => {
  it("given by --config may be in a file, so that it is in no argument", async () => {
    const file = path.join(home(), "secret");
    fs.writeFileSync(file, "open sesame\n");
    const all = await set(`minioRootPassword=@${file}`, `modelPath=@${file}`);
    expect(all).toMatchObject({
      "engine-comparison:minioRootPassword": "open sesame",
      "engine-comparison:modelPath": `@${file}`,
    });
    expect(fs.readFileSync(stackFiles(stack).settings, "utf8")).not.toContain("sesame");
    const loading = loadConfiguration(project, stack, ["minioRootPassword=@no"]);
    await expect(loading).rejects.toThrow("--config minioRootPassword=@no: ENOENT");
  });

  it("given by --config is kept encrypted, for this user alone", async () => {
    await set("minioRootPassword=open sesame");
    const file = stackFiles(stack).settings;
    expect(fs.readFileSync(file, "utf8")).not.toContain("sesame");
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    const loaded = await loadConfiguration(project, stack);
    expect(loaded.all["engine-comparison:minioRootPassword"]).toBe("open sesame");
    expect(loaded.secretKeys).toEqual(["engine-comparison:minioRootPassword"]);
  });

  it("is every key that the settings mark so, and what sounds so in other namespaces", async () => {
    const keys = [...secretKeys, "engine-comparison:s3SecretKey", "aws:secretKey", "aws:token"];
    await set(...keys.map((key) => `${key}=open sesame`));
    expect(fs.readFileSync(stackFiles(stack).settings, "utf8")).not.toContain("sesame");
  });

  it("in clear in the checkout's file is refused, also where --config hides it", async () => {
    commit("  engine-comparison:minioRootPassword: open sesame\n");
    const told = "engine-comparison:minioRootPassword is set without encryption";
    const loaded = (...assignments: string[]) => loadConfiguration(project, stack, assignments);
    const refused = await loaded();
    expect(() => settingsOf(refused)).toThrow(told);
    expect(() => settingsOf(refused)).not.toThrow("sesame");
    const hidden = await loaded("minioRootPassword=another one");
    expect(() => settingsOf(hidden)).toThrow(told);
  });

  it("that is empty is not set", async () => {
    commit('  engine-comparison:minioRootPassword: ""\n');
    const loaded = await loadConfiguration(project, stack);
    expect(() => settingsOf(loaded)).not.toThrow("without encryption");
  });

  it("is not read with another passphrase", async () => {
    await set("minioRootPassword=open sesame");
    process.env.PULUMI_CONFIG_PASSPHRASE = "wrong";
    const loading = loadConfiguration(project, stack);
    await expect(loading).rejects.toThrow("the passphrase does not open the secrets in");
  });

  it("needs no passphrase where there is none", async () => {
    await set("fareAbove=50");
    delete process.env.PULUMI_CONFIG_PASSPHRASE;
    await expect(loadConfiguration(project, stack)).resolves.toBeDefined();
    expect(fs.existsSync(stackFiles(stack).passphrase)).toBe(false);
  });

  it("is encrypted with the salt that the file has, because the state may be too", async () => {
    const file = path.join(home(), "Pulumi.local.yaml");
    const values = { "engine-comparison:minioRootPassword": { text: "sesame", secret: true } };
    const salt = () =>
      (parse(fs.readFileSync(file, "utf8")) as { encryptionsalt?: string }).encryptionsalt;
    await writeStackFile(file, project, stack, values);
    const first = salt();
    await writeStackFile(file, project, stack, {});
    await writeStackFile(file, project, stack, values);
    expect(first).toMatch(/^v1:/);
    expect(salt()).toBe(first);
  });
});
