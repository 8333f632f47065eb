import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as module from "node:module";
import * as path from "node:path";
import { expect, it } from "vitest";
import { checkout } from "../../../infra/host/folders";

const able = "enableCompileCache" in module;
const unable = able ? "" : ` (skipped: Node ${process.versions.node} cannot, 22.8 is the first)`;

it.skipIf(!able)(`a command keeps its compiled code for the next one${unable}`, () => {
  const kept = path.join(checkout, "node_modules", ".cache", "compiled");
  fs.rmSync(kept, { recursive: true, force: true });
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const help = spawnSync(process.execPath, ["cli/main.mjs", "help"], { cwd: checkout, env });
  expect(help.status).toBe(0);
  const files = fs.readdirSync(kept, { recursive: true, withFileTypes: true });
  expect(files.filter((file) => file.isFile()).length).toBeGreaterThan(50);
});
