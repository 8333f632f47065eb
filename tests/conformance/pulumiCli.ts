import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

/** Whether `pulumi` is on PATH. */
export const hasPulumi = spawnSync("pulumi", ["version"]).status === 0;

/** A stack `test` of a project folder, kept by the real CLI in a file backend of its own. */
export class PulumiStack {
  private readonly env: NodeJS.ProcessEnv;

  constructor(
    private readonly projectDir: string,
    backend: string,
    passphrase: string,
  ) {
    fs.mkdirSync(backend, { recursive: true });
    this.env = {
      ...process.env,
      PULUMI_BACKEND_URL: `file://${path.resolve(backend)}`,
      PULUMI_CONFIG_PASSPHRASE: passphrase,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
    this.run("stack", "init", "test");
  }

  run(...args: string[]): { ok: boolean; text: string } {
    const { status, stdout, stderr } = spawnSync("pulumi", [...args, "--non-interactive"], {
      cwd: this.projectDir,
      env: this.env,
      encoding: "utf8",
      timeout: 120_000,
    });
    return { ok: status === 0, text: stdout + stderr };
  }

  /** The deployment, secrets laid open. */
  export(): unknown {
    return JSON.parse(this.run("stack", "export", "--show-secrets", "--stack", "test").text);
  }
}
