import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../../../infra/contracts/platform";
import { runJob } from "../../../pipelines/job";

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "job-"));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

const store = {
  endpoint: "http://127.0.0.1:9000",
  region: "us-east-1",
  accessKey: "key",
  secretKey: "secret",
  pathStyle: true,
};

/** An executor whose leader is a shell script. */
function executor(script: string, limitsMemory = false): Executor {
  return {
    limitsMemory,
    connection: async () => ({ store }),
    start: () => spawn("bash", ["-c", script], { stdio: "pipe" }),
  };
}

function job(
  script: string,
  onPhase?: (phase: string) => void,
  onMeasure?: (question: string) => Promise<readonly object[]>,
  stop?: AbortSignal,
) {
  const log = path.join(folder, `${Math.random()}.log`);
  const args = {
    module: "m",
    cluster: "none" as const,
    spec: { a: 1 },
    seconds: 5,
    log,
    onPhase,
    onMeasure,
    stop,
  };
  return { log, done: runJob(executor(script), args) };
}

describe("a job", () => {
  it.each<[string, string, boolean, string]>([
    ["says nothing", "exit 1", false, "failed"],
    ["says why", "exit 1", false, "wrong"],
    ["does not end", "exit 124", false, "timed out"],
    ["is killed", "exit 137", false, "failed"],
    ["is killed where memory is limited", "exit 137", true, "out of memory"],
  ])(
    "that %s and ends with `%s` (memory limited: %s) is %s",
    async (what, end, limited, outcome) => {
      const failure = '{"event":"failure","reason":"x","outcome":"wrong"}';
      const script = `${what === "says why" ? `echo '${failure}'; ` : ""}${end}`;
      const log = path.join(folder, "outcome.log");
      const args = { module: "m", cluster: "none", spec: {}, seconds: 5, log } as const;
      await expect(runJob(executor(script, limited), args)).rejects.toMatchObject({ outcome });
    },
  );

  it("is told its module, spec and connection in one line on stdin", async () => {
    const { done } = job(`read -r line; echo "{\\"event\\":\\"result\\",\\"told\\":$line}"`);
    expect(await done).toEqual({
      event: "result",
      told: { module: "m", spec: { store, a: 1 }, seconds: 5 },
    });
  });

  it("tells its phases, and all else goes to the log", async () => {
    const phases: string[] = [];
    const { done, log } = job(
      `echo '{"event":"phase","phase":"start-up"}'; echo chatter; echo noise >&2
       echo '{"event":"result"}'`,
      (phase) => phases.push(phase),
    );
    await done;
    expect(phases).toEqual(["start-up"]);
    expect(fs.readFileSync(log, "utf8").split("\n").sort()).toEqual(["", "chatter", "noise"]);
  });

  it("that cannot see what it uses is told so, and is answered when it asks", async () => {
    const { done } = job(
      `read -r line
       case $line in *'"measuredOutside":true'*) ;; *) exit 9 ;; esac
       echo '{"event":"measure","question":"begin"}'; read -r one
       echo '{"event":"measure","question":"read"}'; read -r two
       echo "{\\"event\\":\\"result\\",\\"seen\\":[$one,$two]}"`,
      undefined,
      async (question) => [{ question }],
    );
    expect(await done).toMatchObject({
      seen: [{ answers: [{ question: "begin" }] }, { answers: [{ question: "read" }] }],
    });
  });

  it("is ended where what it asks cannot be answered", async () => {
    const { done } = job(
      `read -r line; echo '{"event":"measure","question":"read"}'; read -r one || exit 130`,
      undefined,
      () => Promise.reject(new Error("container app is gone")),
    );
    await expect(done).rejects.toThrow("container app is gone");
  });

  it("fails with the reason and advice it gave", async () => {
    const { done } = job(
      `echo '{"event":"failure","reason":"3 trips too many","advice":"count again"}'; exit 1`,
    );
    await expect(done).rejects.toMatchObject({
      ...{ what: "3 trips too many", fix: "count again", outcome: "failed" },
    });
  });

  it.each([
    [`echo '{"event":"failure","reason":"r","outcome":"wrong"}'; exit 1`, "wrong"],
    ["exit 124", "timed out"],
  ])("that does `%s` says what its run came to: %s", async (script, outcome) => {
    await expect(job(script).done).rejects.toMatchObject({ outcome });
  });

  it.each([
    ["exit 124", "did not end within 5 s"],
    ["exit 9", "ended with 9 and no result"],
    ["kill -9 $$", "ended with SIGKILL and no result"],
    [`echo '{"event":"result"}'; exit 3`, "ended with 3 and no result"],
  ])("that does `%s` fails and says so", async (script, told) => {
    await expect(job(script).done).rejects.toThrow(told);
  });

  it.each([
    ["before it began", () => AbortSignal.abort()],
    ["while it runs", () => AbortSignal.timeout(200)],
  ])("that is asked to stop %s is ended", async (_when, stop) => {
    const { done } = job("cat > /dev/null; exit 130", undefined, undefined, stop());
    await expect(done).rejects.toThrow("ended with 130 and no result");
  });

  it("whose interpreter is gone fails with a reason", async () => {
    const gone: Executor = {
      connection: async () => ({ store }),
      start: () => spawn(path.join(folder, "no", "python"), [], { stdio: "pipe" }),
    };
    const log = path.join(folder, "gone.log");
    const done = runJob(gone, { module: "m", cluster: "none", spec: {}, seconds: 5, log });
    await expect(done).rejects.toThrow(/the job could not be started: spawn .*python ENOENT/);
  });

  it("whose log cannot be written ends all the same", async () => {
    const log = path.join(folder, "a-folder");
    fs.mkdirSync(log);
    const args = { module: "m", cluster: "none", spec: {}, seconds: 5, log } as const;
    const done = runJob(executor(`echo chatter; echo '{"event":"result"}'`), args);
    expect(await done).toEqual({ event: "result" });
  });

  it("loses its leader's stdin when this process goes, and not before", async () => {
    const { done } = job(
      `read -r line; if read -t 0.3 -r more; [ $? -gt 128 ]; then echo '{"event":"result"}'; fi`,
    );
    expect(await done).toEqual({ event: "result" });
  });
});
