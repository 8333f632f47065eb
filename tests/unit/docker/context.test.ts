import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contextFiles, contextHash } from "../../../infra/targets/docker/base";

let root: string;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "context-"));
  write("a.txt", "a");
  write("code/one.py", "1");
  write("code/deep/two.py", "2");
  write("code/__pycache__/one.pyc", "x");
  write("secret.txt", "s");
});

afterEach(() => fs.rmSync(root, { recursive: true }));

function write(name: string, text: string): void {
  fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
  fs.writeFileSync(path.join(root, name), text);
}

const ignore = "# why\n*\n!a.txt\n!code\n**/__pycache__\n";

describe("the files of a build", () => {
  it("are those that are let in, sorted, without names that are shut out again", () => {
    expect(contextFiles(ignore, root)).toEqual(["a.txt", "code/deep/two.py", "code/one.py"]);
  });

  it.each([
    ["!a.txt\n", "shut out everything first"],
    ["*\n!*.txt\n", "!*.txt"],
    ["*\ncode\n", "code"],
    ["*\n**/x\n!a.txt\n", "!a.txt"],
  ])("refuses a .dockerignore that the builder would read differently: %j", (text, named) => {
    expect(() => contextFiles(text, root)).toThrow(named);
  });
});

describe("the hash of a build", () => {
  const hash = (inputs: unknown = {}) => contextHash(contextFiles(ignore, root), inputs, root);

  it("is the same for the same files, wherever they are", () => {
    const before = hash();
    const moved = `${root}-moved`;
    fs.cpSync(root, moved, { recursive: true });
    expect(contextHash(contextFiles(ignore, moved), {}, moved)).toBe(before);
    fs.rmSync(moved, { recursive: true });
  });

  it.each<[string, () => void]>([
    ["content", () => write("code/one.py", "changed")],
    ["a new file", () => write("code/three.py", "")],
    ["a removed file", () => fs.rmSync(path.join(root, "a.txt"))],
    ["a name", () => fs.renameSync(path.join(root, "code/one.py"), path.join(root, "code/uno.py"))],
    ["the executable bit", () => fs.chmodSync(path.join(root, "code/one.py"), 0o755)],
  ])("changes with %s", (_what, change) => {
    const before = hash();
    change();
    const rules = fs.existsSync(path.join(root, "a.txt")) ? ignore : ignore.replace("!a.txt\n", "");
    expect(contextHash(contextFiles(rules, root), {}, root)).not.toBe(before);
  });

  it("changes with what else the build is given", () => {
    expect(hash({ BASE_IMAGE: "a" })).not.toBe(hash({ BASE_IMAGE: "b" }));
  });

  it.each<[string, () => void]>([
    ["files that are not let in", () => write("secret.txt", "other")],
    ["compiled Python", () => write("code/__pycache__/two.pyc", "y")],
    ["times and the umask", () => fs.chmodSync(path.join(root, "a.txt"), 0o600)],
  ])("does not change with %s", (_what, change) => {
    const before = hash();
    change();
    expect(hash()).toBe(before);
  });

  it("does not take the end of one file for the beginning of the next", () => {
    write("code/one.py", "1\0code/two.py");
    const one = hash();
    write("code/one.py", "1");
    expect(hash()).not.toBe(one);
  });
});
