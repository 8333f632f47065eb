import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { checkout } from "../../../infra/host/folders";
import { runLogs } from "../../../cli/verbs/services";
import { freshHome } from "./home";

const home = freshHome();

it("a run's log is that of its newest attempt; services' logs are not runs'", () => {
  for (const name of ["20260101T1-a", "20260102T1-b"]) {
    const file = path.join(home(), "spark", "taxi-report", `${name}.log`);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, "");
  }
  fs.writeFileSync(path.join(home(), "minio.log"), "");
  const newest = path.join(home(), "spark", "taxi-report", "20260102T1-b.log");
  expect([...runLogs(home())]).toEqual([["spark/taxi-report", { file: newest }]]);
  expect(runLogs(path.join(home(), "none")).size).toBe(0);
});

it("prints the last lines of a log", () => {
  const folder = path.join(home(), "local", "logs", "spark", "taxi-report");
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "20260101T1-a.log"), "a\nb\nc\n");
  const argv = ["cli/main.mjs", "logs", "spark/taxi-report", "-n", "2"];
  const { status, stdout } = spawnSync(process.execPath, argv, { cwd: checkout, encoding: "utf8" });
  expect([status, stdout]).toEqual([0, "b\nc\n"]);
});
