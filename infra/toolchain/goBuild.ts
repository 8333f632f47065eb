import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../contracts/canonical";
import { lockFile, lockHash } from "./locks";
import { ensureEntry, entryFolder, type Build, type Entry } from "./caches";
import { runBuild, type BuildLog } from "./builds";
import { downloadEnvironment, toolEnvironment } from "../host/environment";
import { probe } from "../host/probe";
import { ensureUv } from "./uv";

/**
 * Builds a program in the build's folder, with the machine's Go or one from a Python package.
 *
 * @param args of `go`, after `install` or `build`
 * @param goMod what is to be the go.mod where Go works
 * @throws UserError when something cannot be downloaded or built
 */
export async function runGo(
  { folder, log, pidFile }: Build,
  [verb, ...args]: readonly string[],
  goMod?: string,
): Promise<void> {
  const go = goOnPath() ?? (await goFromPackage(log));
  // Kept when the build is cut short, so that the next one goes on from there.
  const work = `${folder}.go`;
  const temporary = path.join(work, "tmp");
  fs.mkdirSync(temporary, { recursive: true });
  if (goMod !== undefined) fs.writeFileSync(path.join(work, "go.mod"), goMod);
  await runBuild(log, {
    argv: [go, verb, "-trimpath", "-modcacherw", "-buildvcs=false", ...args],
    cwd: goMod === undefined ? undefined : work,
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

/** What MinIO's go.mod asks for. */
const minGo = [1, 24] as const;

/** Reads `go version go1.26.8 linux/amd64`. */
export function parseGoVersion(text: string): [number, number] | undefined {
  const found = /\bgo(\d+)\.(\d+)/.exec(text);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

/** `go` on PATH if it is new enough by itself, without a toolchain that it would download. */
export function goOnPath(): string | undefined {
  const version = parseGoVersion(
    probe(["go", "version"], 10_000, { ...toolEnvironment("language"), GOTOOLCHAIN: "local" }) ??
      "",
  );
  if (!version) return undefined;
  const [major, minor] = version;
  return major > minGo[0] || (major === minGo[0] && minor >= minGo[1]) ? "go" : undefined;
}
