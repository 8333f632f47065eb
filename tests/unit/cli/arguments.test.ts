import { describe, expect, it } from "vitest";
import { parseArguments } from "../../../cli/arguments";
import { WrongUse } from "../../../cli/wrongUse";

const syntax = {
  options: {
    json: { type: "boolean" },
    config: { type: "string", multiple: true },
    lines: { type: "string", default: "100" },
  },
  positionals: [0, 1],
} as const;

describe("a command line", () => {
  it("is about stack local unless it says otherwise", () => {
    expect(parseArguments(syntax, [])?.stack).toBe("local");
    expect(parseArguments(syntax, ["--stack", "dev"])?.stack).toBe("dev");
  });

  it("has flags, values, repeated values and positionals", () => {
    const args = parseArguments(syntax, ["--json", "--config", "a=1", "--config=b=2", "runs"])!;
    expect(args.flag("json")).toBe(true);
    expect(args.values("config")).toEqual(["a=1", "b=2"]);
    expect(args.value("lines")).toBe("100");
    expect(args.positionals).toEqual(["runs"]);
  });

  it("asks for help wherever --help stands", () => {
    expect(parseArguments(syntax, ["runs", "--help"])).toBeUndefined();
    expect(parseArguments({ positionals: [1, 1] }, ["-h"])).toBeUndefined();
  });

  it.each([
    [["--jsno"], "Unknown option '--jsno'"],
    [["--config"], "Option '--config <value>' argument missing"],
    [["a", "b"], '"b" is one argument too many'],
    [["--stack", "../other"], '--stack is "../other": a name has letters'],
  ])("%j is wrong use", (argv, message) => {
    expect(() => parseArguments(syntax, argv)).toThrow(WrongUse);
    expect(() => parseArguments(syntax, argv)).toThrow(message);
  });

  it("says when something is missing", () => {
    expect(() => parseArguments({ positionals: [1, 9] }, [])).toThrow("an argument is missing");
  });
});
