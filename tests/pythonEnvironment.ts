/**
 * Builds the locked Python environment together with the tools that check the Python package, in
 * the cache, and prints the path of its interpreter.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { shortHash } from "../infra/stack/files";
import { checkout } from "../infra/host/folders";
import { BuildLog, ensureEntry } from "../infra/toolchain/caches";
import { lockFile } from "../infra/toolchain/locks";
import { ensureUv } from "../infra/toolchain/uv";

async function main(): Promise<void> {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "engine-comparison-python-"));
  const log = new BuildLog(path.join(scratch, "build.log"));
  const uv = await ensureUv(log);
  const dev = path.join(checkout, "pipelines", "requirements-dev.lock");
  const locks = [lockFile("python"), dev];
  const key = shortHash([uv.python.version, ...locks.map((lock) => fs.readFileSync(lock, "utf8"))]);
  const folder = await ensureEntry(`python/${key}`, log, async (build) => {
    await uv.environment(build, locks);
  });
  fs.rmSync(scratch, { recursive: true });
  console.log(path.join(folder, "bin", "python"));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
