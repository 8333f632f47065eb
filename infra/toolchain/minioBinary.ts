import { shortHash } from "../contracts/canonical";
import { ensureEntry } from "./caches";
import { runGo } from "./goBuild";
import { minioVersion } from "./locks";
import { toolStep } from "./toolStep";

const commit = minioVersion.split("-").pop()!;

/** Without a time of release in it, MinIO takes the binary's own and looks for no newer one. */
const linkerFlags = [
  "-s -w",
  `-X github.com/minio/minio/cmd.ReleaseTag=${minioVersion}`,
  `-X github.com/minio/minio/cmd.CommitID=${commit}`,
  `-X github.com/minio/minio/cmd.ShortCommitID=${commit}`,
].join(" ");

/** Builds MinIO's server from source, with the machine's Go or one from a Python package. */
export default toolStep("minio-binary", async (log) => {
  const key = shortHash([minioVersion, linkerFlags, process.arch, process.platform]);
  const entry = `minio/${key}` as const;
  const args = ["install", "-ldflags", linkerFlags, `github.com/minio/minio@${minioVersion}`];
  await ensureEntry(entry, log, (build) => runGo(build, args));
  return { entry, version: minioVersion };
});
