import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach } from "vitest";

/**
 * Gives every test of a file an empty home for stacks, and no passphrase from outside.
 *
 * @returns the home's folder, to be called inside a test
 */
export function freshHome(): () => string {
  const names = [
    "ENGINE_COMPARISON_HOME",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_BACKEND_URL",
    "ENGINE_COMPARISON_RUNNER",
  ];
  const before = new Map(names.map((name) => [name, process.env[name]]));
  let home = "";
  beforeEach(() => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), "ec-unit-"));
    for (const name of names) delete process.env[name];
    process.env.ENGINE_COMPARISON_HOME = home;
  });
  afterEach(() => {
    fs.rmSync(home, { recursive: true, force: true });
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  return () => home;
}
