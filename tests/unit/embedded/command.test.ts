import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as command from "../../../embedded/command";
import { seconds } from "../../../embedded/monitor";
import { secret, unknownValue, type Properties } from "../../../embedded/values";

describe("a Command", () => {
  let cwd: string;
  let lines: string[];
  beforeEach(() => {
    cwd = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), "command-")));
    lines = [];
  });
  afterEach(() => fs.rmSync(cwd, { recursive: true }));

  const options = (more: Partial<command.CommandOptions> = {}): command.CommandOptions => ({
    cwd,
    timeout: 0,
    killSignal: undefined,
    onLine: (line) => lines.push(line),
    ...more,
  });
  const create = (inputs: Properties, more?: Partial<command.CommandOptions>) =>
    command.act("create", inputs, {}, options(more));

  it("prints what it prints, less one newline at the end", async () => {
    const outputs = await create({ create: "printf 'a\\n\\n'; printf 'e\\n' >&2" });
    expect(outputs).toEqual({
      create: "printf 'a\\n\\n'; printf 'e\\n' >&2",
      stdout: "a\n",
      stderr: "e",
    });
  });

  it("runs in the project's folder or in its dir, by its interpreter, with its environment", async () => {
    fs.mkdirSync(path.join(cwd, "sub"));
    expect(await create({ create: "pwd" })).toMatchObject({ stdout: cwd });
    expect(await create({ create: "pwd", dir: "sub" })).toMatchObject({ stdout: `${cwd}/sub` });
    const node = {
      interpreter: [process.execPath, "-e"],
      create: "console.log(process.env.X, !!process.env.PATH)",
    };
    expect(await create({ ...node, environment: { X: secret("y") } })).toMatchObject({
      stdout: "y true",
    });
    await expect(create({ create: "pwd", dir: "nowhere" })).rejects.toThrow(/running "pwd"/);
    await expect(create({ create: "x", interpreter: ["no-such-program"] })).rejects.toThrow(
      /ENOENT/,
    );
  });

  it("reads its stdin, or nothing", async () => {
    expect(await create({ create: "cat", stdin: secret("text") })).toMatchObject({
      stdout: "text",
    });
    expect(await create({ create: "cat" })).toMatchObject({ stdout: "" });
    expect(await create({ create: "true", stdin: "x".repeat(1e6) })).toMatchObject({ stdout: "" });
  });

  it("without the verb that is called for does nothing", async () => {
    expect(await create({ update: "exit 1" })).toEqual({
      update: "exit 1",
      stdout: "",
      stderr: "",
    });
    const old = { stdout: "before", stderr: "" };
    expect(await command.act("update", { stdin: "x" }, old, options())).toEqual({
      stdin: "x",
      ...old,
    });
    await command.act("delete", { create: "exit 1" }, {}, options());
  });

  it("is updated by its update, else by its create, and is told what it printed before", async () => {
    const old = { stdout: "before", stderr: secret("err") };
    const echo = 'echo "$0 $PULUMI_COMMAND_STDOUT $PULUMI_COMMAND_STDERR"';
    const inputs = { create: `${echo} c`, update: `${echo} u` };
    const show = async (given: Properties) =>
      (await command.act("update", given, old, options())).stdout;
    expect(await show({ create: 'echo "c $PULUMI_COMMAND_STDOUT $PULUMI_COMMAND_STDERR"' })).toBe(
      "c before err",
    );
    expect(await show({ ...inputs, update: 'echo "u $PULUMI_COMMAND_STDOUT"' })).toBe("u before");
    expect(
      await show({ create: 'echo "[$PULUMI_COMMAND_STDOUT]"', addPreviousOutputInEnv: false }),
    ).toBe("[]");
  });

  it("that fails says how, by which command line, and the end of its stderr", async () => {
    const script = "for i in $(seq 30); do echo line $i >&2; done; exit 3";
    const failure = create({ create: script }).then(
      () => "",
      (error: Error) => error.message,
    );
    const [first, ...tail] = (await failure).split("\n");
    expect(first).toBe(`exit status 3: running ${JSON.stringify(script)}:`);
    expect(tail).toHaveLength(20);
    expect(tail.at(-1)).toBe("line 30");
  });

  it("is not done before all its descendants have closed its streams", async () => {
    const outputs = await create({ create: "(sleep 0.3; echo late) & echo early" });
    expect(outputs.stdout).toBe("early\nlate");
  });

  it("over its limit is killed with what it started", async () => {
    const begun = Date.now();
    await expect(create({ create: "sleep 60 & sleep 60" }, { timeout: 0.3 })).rejects.toThrow(
      /^signal: SIGKILL \(over its limit of 0.3 s\): running/,
    );
    expect(Date.now() - begun).toBeLessThan(20_000);
  }, 30_000);

  it("is killed on demand", async () => {
    const kill = new AbortController();
    const running = create({ create: "echo on; sleep 60" }, { killSignal: kill.signal });
    setTimeout(() => kill.abort(), 200);
    await expect(running).rejects.toThrow(/SIGKILL \(canceled\)/);
  }, 30_000);

  it("has whole characters in its lines, in whatever pieces they come", async () => {
    const outputs = await create({ create: "printf '\\303'; sleep 0.2; printf '\\244\\n'" });
    expect([outputs.stdout, lines]).toEqual(["ä", ["ä"]]);
  });

  it("is not killed at once when its limit is longer than Node's timers", async () => {
    const limit = { timeout: 1000 * 3600 };
    expect(await create({ create: "sleep 0.3; echo x" }, limit)).toMatchObject({ stdout: "x" });
  });

  it.each([
    [undefined, ["out", "err"]],
    ["stdout", ["out"]],
    ["stderr", ["err"]],
    ["stdoutAndStderr", ["out", "err"]],
    ["none", []],
  ])("with logging %s tells its lines as they come", async (logging, expected) => {
    await create({ create: "echo out; printf err >&2", ...(logging && { logging }) });
    expect(lines.sort()).toEqual([...expected].sort());
  });

  it.each([
    [{ create: 1 }, 'the input "create" of command:local:Command must be a string'],
    [
      { environment: { A: 1 } },
      'the input "environment" of command:local:Command must be a map of strings',
    ],
    [{ environment: { A: unknownValue } }, undefined],
    [{ environment: secret({ A: "x" }) }, undefined],
    [{ triggers: "x" }, 'the input "triggers" of command:local:Command must be a list'],
    [
      { interpreter: ["a", 1] },
      'the input "interpreter" of command:local:Command must be a list of strings',
    ],
    [
      { assetPaths: [] },
      'the input "assetPaths" of command:local:Command is not supported by the embedded runner',
    ],
    [
      { triggers: [{ "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17" }] },
      'an asset in the input "triggers" is not supported by the embedded runner',
    ],
    [{ other: "" }, 'command:local:Command has no input "other"'],
    [
      { create: unknownValue, triggers: [1, { a: null }], addPreviousOutputInEnv: false },
      undefined,
    ],
  ] as [Properties, string | undefined][])("is checked: %j", (inputs, problem) => {
    expect(command.checkInputs(inputs)).toBe(problem);
  });

  it("makes secret what was named or whose input is, and nothing more", () => {
    const inputs = { stdin: secret("x"), environment: { A: secret("y") } };
    const outputs = { stdin: "x", environment: inputs.environment, stdout: "o", stderr: "e" };
    expect(command.markSecrets(outputs, inputs, ["stderr", "absent"])).toEqual({
      stdin: secret("x"),
      environment: { A: secret("y") },
      stdout: "o",
      stderr: secret("e"),
    });
  });
});

describe("durations", () => {
  it.each([
    ["30s", 30],
    ["1h30m", 5400],
    ["1.5m", 90],
    ["250ms", 0.25],
  ])("%s", (text, expected) => {
    expect(seconds(text)).toBeCloseTo(expected);
  });
  it("that make no sense are refused", () => {
    expect(() => seconds("10 minutes")).toThrow(/is not a duration/);
  });
});
