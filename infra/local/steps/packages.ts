import * as path from "node:path";
import { shortHash } from "../../canonical";
import { checkout } from "../../folders";
import { ensureEntry } from "../caches";
import { packedFile, packingCode } from "../packages";
import { plainEnvironment } from "../processes/environment";
import { runBuild } from "../processes/builds";
import { pythonOf, toolFolder } from "../tools";
import { runToolStep } from "./tool";

/** Packs what Python workers of other machines import, out of the stack's environment. */
void runToolStep("packages", async (log, { stack }) => {
  const python = toolFolder(stack, "python");
  const entry = `packages/${shortHash([path.basename(python), packingCode()])}` as const;
  await ensureEntry(entry, log, ({ folder, pidFile }) =>
    runBuild(log, {
      argv: [
        pythonOf(stack),
        ...["-m", "engine_comparison.pack", "--out", path.join(folder, packedFile)],
      ],
      env: { ...plainEnvironment(), PYTHONPATH: path.join(checkout, "pipelines") },
      pidFile,
      advice: "run the same command again",
    }),
  );
  return { entry };
});
