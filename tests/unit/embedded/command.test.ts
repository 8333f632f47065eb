import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as command from "../../../embedded/command";
import { secret, unknownValue, type Properties } from "../../../embedded/values";

describe("a Command", () => {
  let cwd: string;
  beforeEach(() => {
    cwd = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), "command-")));
  });
  afterEach(() => fs.rmSync(cwd, { recursive: true }));

  const options = (killSignal?: AbortSignal): command.CommandOptions => ({ cwd, killSignal });
  const create = (inputs: Properties, killSignal?: AbortSignal) =>
    command.act("create", inputs, {}, options(killSignal));

  it("prints what it prints, less one newline at the end", async () => {
    const outputs = await create({ create: "printf 'a\\n\\n'; printf 'e\\n' >&2" });
    expect(outputs).toEqual({
      create: "printf 'a\\n\\n'; printf 'e\\n' >&2",
      stdout: "a\n",
      stderr: "e",
    });
  });

  it("runs in the project's folder, with its environment", async () => {
    expect(await create({ create: "pwd" })).toMatchObject({ stdout: cwd });
    const environment = { X: secret("y") };
    expect(await create({ create: 'echo "$X ${PATH:+path}"', environment })).toMatchObject({
      stdout: "y path",
    });
    fs.rmSync(cwd, { recursive: true });
    await expect(create({ create: "pwd" })).rejects.toThrow(/running "pwd"/);
    fs.mkdirSync(cwd);
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

  it("is killed on demand", async () => {
    const kill = new AbortController();
    const running = create({ create: "echo on; sleep 60" }, kill.signal);
    setTimeout(() => kill.abort(), 200);
    await expect(running).rejects.toThrow(/SIGKILL \(canceled\)/);
  }, 30_000);

  it("has whole characters, in whatever pieces they come", async () => {
    const outputs = await create({ create: "printf '\\303'; sleep 0.2; printf '\\244\\n'" });
    expect(outputs.stdout).toBe("ä");
  });

  it.each([
    [{ environment: { A: unknownValue } }, undefined],
    [{ environment: secret({ A: "x" }) }, undefined],
    [
      { interpreter: ["sh"] },
      'the input "interpreter" of command:local:Command is not supported by the embedded runner',
    ],
    [
      { triggers: [{ "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17" }] },
      'an asset in the input "triggers" of command:local:Command is not supported by the embedded runner',
    ],
    [
      { create: unknownValue, triggers: [1, { a: null }], addPreviousOutputInEnv: false },
      undefined,
    ],
  ] as [Properties, string | undefined][])("is checked: %j", (inputs, problem) => {
    expect(command.unsupportedInput(inputs)).toBe(problem);
  });
});
