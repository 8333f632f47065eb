import * as path from "node:path";
import { shortHash } from "../contracts/canonical";
import { checkout } from "../host/folders";
import { ensureEntry } from "./caches";
import { packedFile, packingCode } from "./packing";
import { plainEnvironment } from "../host/environment";
import { runBuild } from "./builds";
import { pythonOf, toolFolder } from "./tools";
import { toolStep } from "./toolStep";

/** Packs what Python workers of other machines import, out of the stack's environment. */
export default toolStep("packages", async (log, { stack }) => {
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
