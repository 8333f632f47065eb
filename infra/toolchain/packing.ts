import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../contracts/canonical";
import { checkout } from "../host/folders";

/** Hash of the code that packs what Python workers of other machines import. */
export function packingCode(): string {
  return shortHash(
    fs.readFileSync(path.join(checkout, "pipelines/engine_comparison/pack.py"), "utf8"),
  );
}

/** The packed file in the folder of the tool `packages`. */
export const packedFile = "packages.tgz";
