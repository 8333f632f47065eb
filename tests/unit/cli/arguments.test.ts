import { describe, expect, it } from "vitest";
import { WrongUse } from "../../../cli/errors";
import { helpOf, parseArguments, verb } from "../../../cli/verb";

const show = verb({
  summary: "show it",
  options: {
    json: { type: "boolean", help: "prints JSON" },
    config: { type: "string", multiple: true, value: "key=value", help: "sets a key\nfor it" },
    lines: { type: "string", short: "n", value: "n", default: "100", help: "how many" },
  },
  positionals: [{ name: "name", optional: true }],
  run: async ({ options }) => options.config?.length ?? 0,
});
const several = verb({
  summary: "",
  positionals: [{ name: "run", multiple: true }],
  run: async () => 0,
});

describe("a command line", () => {
  it("is about stack local unless it says otherwise", () => {
    expect(parseArguments(show, [])?.stack).toBe("local");
    expect(parseArguments(show, ["--stack", "dev"])?.stack).toBe("dev");
    expect(parseArguments({ ...show, stack: "bench" }, [])?.stack).toBe("bench");
  });

  it("has flags, values, repeated values and positionals", () => {
    const args = parseArguments(show, ["--json", "--config", "a=1", "--config=b=2", "runs"])!;
    expect(args.options).toEqual({ json: true, config: ["a=1", "b=2"], lines: "100" });
    expect(args.positionals).toEqual(["runs"]);
    expect(parseArguments(show, [])?.options).toEqual({ lines: "100" });
    expect(parseArguments(several, ["a", "b"])?.positionals).toEqual(["a", "b"]);
  });

  it("asks for help wherever --help is", () => {
    expect(parseArguments(show, ["runs", "--help"])).toBeUndefined();
    expect(parseArguments(several, ["-h"])).toBeUndefined();
  });

  it.each([
    [["--jsno"], "Unknown option '--jsno'"],
    [["--config"], "Option '--config <value>' argument missing"],
    [["a", "b"], '"b" is one argument too many'],
    [["--stack", "../other"], '--stack is "../other": a name has letters'],
  ])("%j is wrong use", (argv, message) => {
    expect(() => parseArguments(show, argv)).toThrow(WrongUse);
    expect(() => parseArguments(show, argv)).toThrow(message);
  });

  it("says when something is missing", () => {
    expect(() => parseArguments(several, [])).toThrow("an argument is missing");
  });
});

it("usage and help of a verb follow from its declaration", () => {
  expect(helpOf("show", show).split("\n")).toEqual([
    "usage: npm run show -- [--json] [--config key=value ...] [--lines n] [name] [--stack name]",
    "",
    "show it",
    "",
    "--json       prints JSON",
    "--config     sets a key",
    "             for it",
    "-n, --lines  how many; default 100",
    "--stack      the stack's name; default local",
  ]);
  expect(helpOf("several", several)).toContain("npm run several -- <run ...> [--stack name]");
});
