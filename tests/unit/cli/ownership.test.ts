import * as fs from "node:fs";
import * as path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { checkout } from "../../../infra/host/folders";
import { checkStack, claimStack, stackBackendUrl } from "../../../infra/stack/claim";
import { forgetStack, keepPlace, readOwner, type Owner } from "../../../infra/stack/owner";
import { UserError } from "../../../infra/contracts/errors";
import { freshHome } from "./home";

const home = freshHome();

beforeEach(() => {
  process.env.ENGINE_COMPARISON_RUNNER = "embedded";
});

function write(owner: Partial<Owner>): void {
  const whole = {
    ...{ id: "1", checkout: fs.realpathSync(checkout), target: "local", runner: "embedded" },
    backend: "stack folder",
  };
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
      id: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      checkout: fs.realpathSync(checkout),
      target: "local",
      runner: "embedded",
      backend: "stack folder",
    });
    expect(fs.readdirSync(path.join(home(), "local"))).toEqual(["owner.json"]);
  });

  it("goes on with its own stack, and frees the name in the end", () => {
    claimStack("local", "local");
    claimStack("local", "local");
    for (const name of ["records", "runs", "inputs", "logs", "report", "history"]) {
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

  it("refuses a stack of the same name in another backend", () => {
    delete process.env.ENGINE_COMPARISON_RUNNER;
    process.env.PULUMI_BACKEND_URL = "file:///one";
    const id = claimStack("local", "local");
    process.env.PULUMI_BACKEND_URL = "file:///one/";
    expect(checkStack("local", "local")).toBe(id);
    process.env.PULUMI_BACKEND_URL = "file:///two";
    expect(() => checkStack("local", "local")).toThrow(
      "the state of stack local is in file:///one, and the Pulumi CLI uses file:///two",
    );
    expect(() => claimStack("local", "local")).toThrow("pulumi login file:///one");
  });

  it("knows the last login where nothing else says where the state is", () => {
    delete process.env.ENGINE_COMPARISON_RUNNER;
    const pulumiHome = path.join(home(), "pulumi");
    fs.mkdirSync(pulumiHome);
    const login = (current: string) =>
      fs.writeFileSync(path.join(pulumiHome, "credentials.json"), JSON.stringify({ current }));
    const before = process.env.PULUMI_HOME;
    process.env.PULUMI_HOME = pulumiHome;
    try {
      login("https://api.pulumi.com");
      claimStack("local", "local");
      login("s3://elsewhere");
      expect(() => checkStack("local", "local")).toThrow("uses s3://elsewhere");
    } finally {
      if (before === undefined) delete process.env.PULUMI_HOME;
      else process.env.PULUMI_HOME = before;
    }
  });

  it("keeps the id that the state has where the stack folder has lost it", () => {
    process.env.ENGINE_COMPARISON_STACK_ID = "from-the-state";
    try {
      const id = checkStack("local", "local");
      expect(claimStack("local", "local", id)).toBe("from-the-state");
      expect(readOwner("local")?.id).toBe("from-the-state");
    } finally {
      delete process.env.ENGINE_COMPARISON_STACK_ID;
    }
  });

  it("refuses to move a store's data to another account or region", () => {
    claimStack("local", "local");
    const place = { account: "1", region: "eu-west-1" };
    keepPlace("local", place);
    keepPlace("local", { ...place, region: "us-east-1" });
    keepPlace("local", place, true);
    expect(() => keepPlace("local", place)).not.toThrow();
    expect(() => keepPlace("local", { ...place, region: "us-east-1" })).toThrow(
      "stack local has its data in region eu-west-1, and this is region us-east-1",
    );
    expect(() => keepPlace("local", { account: "2", region: "x" })).toThrow("go back to account 1");
  });
});

it("the URL of a state is that of its folder, whatever characters the home has", () => {
  process.env.ENGINE_COMPARISON_HOME = path.join(home(), "a b#c?d%20e");
  const url = new URL(stackBackendUrl("local"));
  const folder = path.join(process.env.ENGINE_COMPARISON_HOME, "local", "pulumi-backend");
  expect(decodeURIComponent(url.pathname)).toBe(folder);
  expect([url.hash, url.search]).toEqual(["", "?metadata=skip"]);
});

it("a record that is no JSON is told with its place", () => {
  write({});
  const file = path.join(home(), "local", "owner.json");
  fs.writeFileSync(file, "{");
  expect(() => readOwner("local")).toThrow(`${file} cannot be read`);
});
