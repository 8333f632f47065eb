import * as fs from "node:fs";
import * as path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { checkout } from "../../../infra/host/folders";
import {
  checkStack,
  claimStack,
  forgetStack,
  readOwner,
  stackBackendUrl,
  type Owner,
} from "../../../infra/stack/owner";
import { UserError } from "../../../infra/contracts/errors";
import { freshHome } from "./home";

const home = freshHome();

beforeEach(() => {
  process.env.ENGINE_COMPARISON_RUNNER = "embedded";
});

function write(owner: Partial<Owner>): void {
  const whole = { checkout: fs.realpathSync(checkout), target: "local", runner: "embedded" };
  fs.mkdirSync(path.join(home(), "local"), { recursive: true });
  fs.writeFileSync(
    path.join(home(), "local", "owner.json"),
    JSON.stringify({ ...whole, ...owner }),
  );
}

describe("the program", () => {
  it("takes a free stack when it deploys, and not in a preview", () => {
    checkStack("local", "local");
    expect(fs.readdirSync(home())).toEqual([]);
    claimStack("local", "local");
    expect(readOwner("local")).toEqual({
      checkout: fs.realpathSync(checkout),
      target: "local",
      runner: "embedded",
    });
    expect(fs.readdirSync(path.join(home(), "local"))).toEqual(["owner.json"]);
  });

  it("goes on with its own stack, and frees the name in the end", () => {
    claimStack("local", "local");
    claimStack("local", "local");
    for (const name of ["records", "standing", "logs", "report", "history"]) {
      fs.mkdirSync(path.join(home(), "local", name));
    }
    forgetStack("local");
    forgetStack("local");
    expect(readOwner("local")).toBeUndefined();
    expect(fs.readdirSync(path.join(home(), "local"))).toEqual(["history"]);
  });

  it.each([checkStack, claimStack])("refuses the stack of another checkout (%o)", (refuse) => {
    const other = path.join(home(), "elsewhere");
    fs.mkdirSync(other);
    fs.writeFileSync(path.join(other, "Pulumi.yaml"), "");
    write({ checkout: other });
    expect(() => refuse("local", "local")).toThrow(UserError);
    expect(() => refuse("local", "local")).toThrow(`stack local belongs to the checkout ${other}`);
    expect(readOwner("local")?.checkout).toBe(other);
  });

  it("takes over from a checkout that is gone", () => {
    write({ checkout: path.join(home(), "gone") });
    claimStack("local", "local");
    expect(readOwner("local")?.checkout).toBe(fs.realpathSync(checkout));
  });

  it("refuses another target", () => {
    write({ target: "docker" });
    expect(() => claimStack("local", "local")).toThrow(
      "stack local has target docker, and the settings say local",
    );
  });

  it("refuses a stack that the other runner made", () => {
    write({});
    delete process.env.ENGINE_COMPARISON_RUNNER;
    expect(() => claimStack("local", "local")).toThrow(
      "stack local was made by the embedded runner, and this is the Pulumi CLI",
    );
  });

  it("refuses a stack whose state is somewhere else", () => {
    delete process.env.ENGINE_COMPARISON_RUNNER;
    process.env.PULUMI_BACKEND_URL = stackBackendUrl("local");
    claimStack("local", "local");
    expect(readOwner("local")?.backend).toBe("stack folder");
    process.env.PULUMI_BACKEND_URL = stackBackendUrl("local").split("?")[0];
    expect(() => checkStack("local", "local")).not.toThrow();
    delete process.env.PULUMI_BACKEND_URL;
    expect(() => checkStack("local", "local")).toThrow("the state of stack local is in file:");
  });
});

it("a record that is no JSON is told with its place", () => {
  write({});
  const file = path.join(home(), "local", "owner.json");
  fs.writeFileSync(file, "{");
  expect(() => readOwner("local")).toThrow(`${file} cannot be read`);
});
