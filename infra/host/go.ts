import { probe, toolEnvironment } from "./environment";

/** What MinIO's go.mod asks for. */
export const leastGo = [1, 24] as const;

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
  return major > leastGo[0] || (major === leastGo[0] && minor >= leastGo[1]) ? "go" : undefined;
}
