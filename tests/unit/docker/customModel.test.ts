import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeOwner } from "../../../infra/stack/owner";
import { daemonRecord } from "../../../infra/targets/docker/daemon";
import { model } from "../../../infra/targets/docker/scripts";
import { customModel } from "../../../infra/toolchain/customModel";
import { exampleContract } from "../../defaults";

const stack = "custom-model";
const { ENGINE_COMPARISON_HOME, PATH } = process.env;
let folder: string;
const at = (...names: readonly string[]) => path.join(folder, ...names);

/** In the place of Docker: runs a container's script in a folder that stands for the volume. */
const docker = `#!/bin/bash
printf '%s\\n' "$*" >>"$(dirname "$0")/calls"
[[ $1 == run ]] || exit 1
cd "$(dirname "$0")/../volume" && exec bash -c "\${@: -1}"
`;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "docker-model-"));
  for (const name of ["home", "bin", "volume", "mine"]) fs.mkdirSync(at(name));
  process.env.ENGINE_COMPARISON_HOME = at("home");
  process.env.PATH = `${at("bin")}:${PATH}`;
  fs.writeFileSync(at("bin", "docker"), docker, { mode: 0o700 });
  const owner = { checkout: "/", target: "docker", runner: "pulumi", backend: "file:///" } as const;
  writeOwner(stack, { id: "0123456789abcdef", ...owner });
  daemonRecord.write(stack, { host: "unix:///no.sock", id: "A" });
});

afterAll(() => {
  if (ENGINE_COMPARISON_HOME === undefined) delete process.env.ENGINE_COMPARISON_HOME;
  else process.env.ENGINE_COMPARISON_HOME = ENGINE_COMPARISON_HOME;
  process.env.PATH = PATH;
  fs.rmSync(folder, { recursive: true });
});

it("puts all files of a custom model into the volume, where they have the same identity", async () => {
  const modelPath = at("mine", "mine.onnx");
  const contents = {
    "mine.onnx": Buffer.from("a\x0a\x08location\x12\x07big.bin\xff", "latin1"),
    "mine.json": JSON.stringify({ ...exampleContract(), labels: "names.json" }),
    "names.json": '["a", "b"]',
    "big.bin": Buffer.alloc(2 ** 20, "\x00\xff\r\n", "latin1"),
    "other.txt": "not of the model",
  };
  for (const [name, content] of Object.entries(contents))
    fs.writeFileSync(at("mine", name), content);
  const { hash } = customModel(modelPath);
  const spec = { volume: "engine-comparison-model", image: "minio", model: hash, modelPath };

  expect(await model.create({ stack, name: "docker-model", spec })).toEqual({ model: hash });

  expect(fs.readdirSync(at("volume")).sort()).toEqual([
    "big.bin",
    "model.json",
    "model.onnx",
    "names.json",
  ]);
  expect(customModel(at("volume", "model.onnx")).hash).toBe(hash);
  const calls = fs.readFileSync(at("bin", "calls"), "utf8").trim().split("\n");
  expect(calls).toHaveLength(4);
  for (const call of calls) {
    expect(call).toContain(
      "--volume engine-comparison-model:/opt/own-model --workdir /opt/own-model",
    );
  }
});

it("copies nothing of a model that has changed since the program looked at it", async () => {
  const spec = { volume: "v", image: "i", model: "f00d", modelPath: at("mine", "mine.onnx") };
  fs.rmSync(at("volume"), { recursive: true });
  fs.mkdirSync(at("volume"));
  await expect(model.create({ stack, name: "docker-model", spec })).rejects.toThrow(
    "changed while it was being deployed",
  );
  expect(fs.readdirSync(at("volume"))).toEqual([]);
});
