import * as fs from "node:fs";
import { type StepVerbs } from "../../../stack/runStep";
import { dataMark, places } from "../../../stack/places";

/** The drive that MinIO stores on. What is in it is gone with it. */
export default {
  async create({ stack }) {
    fs.mkdirSync(places(stack).minioData, { recursive: true, mode: 0o700 });
    fs.writeFileSync(dataMark(stack), "", { mode: 0o600 });
    return { data: "minio/data" };
  },
  async delete({ stack }) {
    fs.rmSync(places(stack).minio, { recursive: true, force: true });
  },
} satisfies StepVerbs<unknown>;
