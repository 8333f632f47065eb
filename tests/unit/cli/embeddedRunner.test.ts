import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { makeRunner as embeddedRunner } from "../../../cli/runners/embeddedRunner";
import { stackFolder } from "../../../infra/host/folders";
import { UserError } from "../../../infra/contracts/errors";

let home: string;
beforeEach(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), "home-"));
  vi.stubEnv("ENGINE_COMPARISON_HOME", home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  fs.rmSync(home, { recursive: true });
});

it("an error of the embedded package is a user's error, with the page that helps", async () => {
  fs.mkdirSync(stackFolder("s"), { recursive: true });
  fs.writeFileSync(path.join(stackFolder("s"), "state.json"), "{");
  const args = {
    project: { name: "p", folder: home },
    stack: "s",
    configuration: { all: {}, secretKeys: [] },
  };
  const runner = embeddedRunner(args as unknown as Parameters<typeof embeddedRunner>[0]);
  const error = await runner.resources().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).fix).toMatch(/by hand .*docs\/troubleshooting\.md/);
});
