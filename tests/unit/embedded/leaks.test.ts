import * as fs from "node:fs";
import { afterEach, expect, it } from "vitest";
import { Project } from "./graph";

let project: Project;
afterEach(() => project.remove());

const says = (word: string) => ({ create: `echo ${word}`, update: `echo ${word}`, delete: "true" });

/** Descriptors of this process by what they are, without the files that tests themselves write. */
function descriptors(): string[] {
  return fs
    .readdirSync("/proc/self/fd")
    .map((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, "");
      } catch {
        return ""; // the one that lists them
      }
    })
    .filter((target) => target !== "")
    .sort();
}

/** Ids of this process's children. */
function children(): string[] {
  return fs.readdirSync("/proc/self/task").flatMap((task) =>
    fs
      .readFileSync(`/proc/self/task/${task}/children`, "utf8")
      .split(" ")
      .filter((pid) => pid !== ""),
  );
}

it.skipIf(process.platform !== "linux")(
  "life after life in one process leaves no descriptor, child or file behind",
  async () => {
    project = new Project();
    const live = async () => {
      project.write([
        { name: "one", inputs: says("one") },
        { name: "two", inputs: says("two"), dependsOn: ["one"] },
      ]);
      expect(await project.up()).toMatchObject({ ok: true });
      expect(await project.destroy()).toMatchObject({ ok: true });
    };
    // The first leaves the guard's shell, which serves the whole process.
    await live();
    const before = { descriptors: descriptors(), children: children() };
    await live();
    expect({ descriptors: descriptors(), children: children() }).toEqual(before);
    expect(fs.readdirSync(project.stackFolder).sort()).toEqual(["state.json", "state.json.bak"]);
  },
  300_000,
);
