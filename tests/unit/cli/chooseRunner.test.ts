import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { chooseRunner, whoMade, type Situation } from "../../../cli/runners/chooseRunner";
import { Unfit, WrongUse } from "../../../cli/errors";
import { freshHome } from "./home";

const home = freshHome();
const fresh: Situation = { stack: "local", target: "local", cliThere: () => false };
const here = { backend: "stack folder" } as const;

describe("a new stack", () => {
  it.each([
    ["auto", true, "pulumi"],
    ["auto", false, "embedded"],
    [undefined, true, "pulumi"],
    ["embedded", true, "embedded"],
    ["pulumi", false, "pulumi"],
  ] as const)("with --runner %s and a CLI %s is made by %s", (asked, cli, runner) => {
    expect(chooseRunner({ ...fresh, asked, cliThere: () => cli })).toEqual({ ...here, runner });
  });

  it.each([undefined, "embedded"])("of target docker cannot be had with --runner %s", (asked) => {
    const choosing = () => chooseRunner({ ...fresh, stack: "dev", target: "docker", asked });
    expect(choosing).toThrow(Unfit);
    expect(choosing).toThrow(/stack dev has target docker, which needs the Pulumi CLI/);
    expect(choosing).toThrow(/https:\/\/www.pulumi.com.*--install-cli/);
  });

  it("has no other runners", () => {
    expect(() => chooseRunner({ ...fresh, asked: "magic" })).toThrow(WrongUse);
  });
});

describe("a stack that is there", () => {
  const made = { ...here, runner: "embedded" } as const;

  it("stays with its runner, and the CLI is not even looked for", () => {
    const cliThere = () => {
      throw new Error("looked for");
    };
    expect(chooseRunner({ ...fresh, made, cliThere })).toBe(made);
    expect(chooseRunner({ ...fresh, made, asked: "embedded", cliThere })).toBe(made);
  });

  it("is refused to another runner", () => {
    const choosing = () => chooseRunner({ ...fresh, made, asked: "pulumi" });
    expect(choosing).toThrow(Unfit);
    expect(choosing).toThrow("--runner is pulumi, but stack local was made by runner embedded");
  });
});

describe("who made a stack", () => {
  const owner = {
    id: "1",
    checkout: "/c",
    target: "local",
    runner: "pulumi",
    backend: "https://api.pulumi.com",
  } as const;

  function write(file: string, content: unknown): void {
    const full = path.join(home(), "local", file);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(full, JSON.stringify(content));
  }

  it("says the record", () => {
    expect(whoMade("p", "local", owner)).toEqual({ runner: "pulumi", backend: "own" });
  });

  it("is nobody where nothing is", () => {
    expect(whoMade("p", "local")).toBeUndefined();
    write("state.json", { deployment: { resources: [] } });
    expect(whoMade("p", "local")).toBeUndefined();
  });

  it("is nobody where the first up stopped before it made anything", () => {
    write("state.json", { deployment: { resources: [{ type: "pulumi:pulumi:Stack" }] } });
    expect(whoMade("p", "local")).toBeUndefined();
  });

  it("says a state with something in it where the record is gone", () => {
    write("pulumi-backend/.pulumi/stacks/p/local.json", {
      checkpoint: { latest: { resources: [{ type: "t" }] } },
    });
    expect(whoMade("p", "local")).toEqual({ ...here, runner: "pulumi" });
    write("state.json", { deployment: { resources: [{ type: "t" }] } });
    expect(whoMade("p", "local")).toEqual({ ...here, runner: "embedded" });
  });

  it.each(["", '{"version": 3, "deploy', "null", '{"deployment":{"resources":{}}}'])(
    "says a state that is broken (%j), so that its runner is asked how to mend it",
    (text) => {
      write("state.json", {});
      fs.writeFileSync(path.join(home(), "local", "state.json"), text);
      expect(whoMade("p", "local")).toEqual({ ...here, runner: "embedded" });
    },
  );
});
