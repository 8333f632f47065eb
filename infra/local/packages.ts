import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../canonical";
import { checkout } from "../folders";

/** Hash of the code that packs what Python workers of other machines import. */
export function packingCode(): string {
  return shortHash(
    fs.readFileSync(path.join(checkout, "pipelines/engine_comparison/pack.py"), "utf8"),
  );
}

/** The packed file in the folder of the tool `packages`. */
export const packedFile = "packages.tgz";
