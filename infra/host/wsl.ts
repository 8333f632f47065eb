import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { size, wrong, type UserError } from "../contracts/errors";
import type { Settings } from "../settings/schema";
import { check, nearestExisting, writtenFolders } from "./checks";
import { isWsl, kernelVersion } from "./platform";
import { checkout, namesIn, readOr } from "./folders";

export type WslFacts = ReturnType<typeof wslFacts>;

/** Drives of Windows are reached by a protocol of Plan 9: V9FS_MAGIC of Linux. */
export const windowsDrive = 0x01021997;

export function wrongWsl(
  { version, folders, memoryBytes, config }: WslFacts,
  { runMemory }: Pick<Settings, "runMemory">,
): UserError[] {
  if (!isWsl(version)) return [];
  const options = parseConfig(config ?? "");
  return [...onWindows(folders), ...littleMemory(), ...unreachable()];

  function littleMemory(): UserError[] {
    if (memoryBytes >= runMemory) return [];
    const limit = options.get("memory");
    return wrong(
      `WSL2 has ${size(memoryBytes)} of memory (${limit ? `.wslconfig says memory=${limit}` : "by default half of Windows'"}), and runMemory is ${size(runMemory)}`,
      "processes are killed, or all of WSL stops, when it runs out",
      "set memory= under [wsl2] in %UserProfile%\\.wslconfig higher, then wsl --shutdown; or set a smaller runMemory and smaller workers",
    );
  }

  function unreachable(): UserError[] {
    const mode = options.get("networkingmode")?.toLowerCase() ?? "nat";
    if (mode === "none") {
      return wrong(
        ".wslconfig says networkingMode=none",
        "nothing can be downloaded, and no page opens in Windows",
        "remove it from %UserProfile%\\.wslconfig, then wsl --shutdown",
      );
    }
    if (mode !== "nat" || options.get("localhostforwarding")?.toLowerCase() !== "false") return [];
    return wrong(
      ".wslconfig says localhostForwarding=false",
      "the pages of MinIO, Spark and Ray do not open in Windows' browser at localhost",
      "remove it from %UserProfile%\\.wslconfig, or set networkingMode=mirrored there, then wsl --shutdown",
    );
  }
}

function onWindows(folders: WslFacts["folders"]): UserError[] {
  const there = folders.filter(({ type }) => type === windowsDrive);
  if (there.length === 0) return [];
  return wrong(
    `${there.map(({ folder }) => folder).join(", ")} ${there.length === 1 ? "is" : "are"} on a drive of Windows`,
    "files there are many times slower, and the modes that keep secrets from others do not hold",
    "keep the checkout, ENGINE_COMPARISON_HOME and ENGINE_COMPARISON_CACHE in the Linux file system, e.g. below ~",
  );
}

/** The options of the section [wsl2], names in lower case. */
function parseConfig(text: string): Map<string, string> {
  const [, ...sections] = `\n${text}`.split(/^\s*\[/m);
  const own = sections.filter((section) => /^wsl2\]/i.test(section)).join("\n");
  const lines = [...own.matchAll(/^[ \t]*(\w+)[ \t]*=[ \t]*([^#\r\n]*)/gm)];
  return new Map(lines.map(([, name, value]) => [name.toLowerCase(), value.trim()]));
}

/** The .wslconfig of whichever user of Windows has one. */
function windowsConfig(): string | undefined {
  const users = namesIn("/mnt/c/Users");
  return users.flatMap((u) => readOr(path.join("/mnt/c/Users", u, ".wslconfig")) ?? [])[0];
}

function wslFacts() {
  const version = kernelVersion();
  const folders = isWsl(version)
    ? [checkout, ...writtenFolders().map(({ folder }) => nearestExisting(folder))]
    : [];
  return {
    version,
    /** With the type of file system that each is on. */
    folders: folders.map((folder) => ({ folder, type: fs.statfsSync(folder).type })),
    memoryBytes: os.totalmem(),
    ...(isWsl(version) ? { config: windowsConfig() } : {}),
  };
}

export const wslCheck = check({
  id: "wsl",
  name: "WSL2, if this is one, is set up for the services",
  blocks: false,
  after: ["platform"],
  observe: wslFacts,
  judge: (facts, { settings }) => wrongWsl(facts, settings),
});
