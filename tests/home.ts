import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll } from "vitest";

// A test that names no home for its stacks must not reach those of whoever runs it.
const home = fs.mkdtempSync(path.join(os.tmpdir(), "ec-tests-"));
process.env.ENGINE_COMPARISON_HOME = home;
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));
