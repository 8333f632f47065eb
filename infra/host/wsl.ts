import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { size, wrong } from "../contracts/check";
import type { UserError } from "../contracts/errors";
import type { Settings } from "../settings/schema";
import { readOr } from "./folders";
import { check, isWsl, kernelVersion, nearestExisting, writtenFolders } from "./checks";
import { checkout } from "./folders";

/** What is particular to a machine in Windows. */
export interface WslFacts {
  /** The text of /proc/version. */
  readonly version: string;
  /** Folders of the project, with the type of file system that each is on. */
  readonly folders: readonly { readonly folder: string; readonly type: string }[];
  readonly memoryBytes: number;
  /** The user's .wslconfig; undefined without one to be seen. */
  readonly config?: string;
}

/** Drives of Windows: through a protocol of Plan 9, in WSL1 directly. */
const windowsDrives = ["9p", "drvfs", "v9fs"];

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
  const there = folders.filter(({ type }) => windowsDrives.includes(type));
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

/** The type of the file system that a folder is on, by the text of /proc/mounts. */
export function fileSystemOf(folder: string, mounts: string): string {
  const rows = mounts.split("\n").map((line) => line.split(" "));
  const over = rows.filter(([, point = ""]) => {
    const at = point.replaceAll("\\040", " ");
    return at !== "" && (folder === at || folder.startsWith(at === "/" ? "/" : `${at}/`));
  });
  const [nearest] = over.reverse().sort((a, b) => b[1].length - a[1].length);
  return nearest?.[2] ?? "";
}

/** The .wslconfig of whichever user of Windows has one. */
function windowsConfig(): string | undefined {
  try {
    const users = fs.readdirSync("/mnt/c/Users");
    const texts = users.flatMap((u) => readOr(path.join("/mnt/c/Users", u, ".wslconfig")) ?? []);
    return texts[0];
  } catch {
    return undefined;
  }
}

function wslFacts(): WslFacts {
  const version = kernelVersion();
  if (!isWsl(version)) return { version, folders: [], memoryBytes: 0 };
  const mounts = readOr("/proc/mounts") ?? "";
  const folders = [checkout, ...writtenFolders().map(({ folder }) => nearestExisting(folder))];
  return {
    version,
    folders: folders.map((folder) => ({ folder, type: fileSystemOf(folder, mounts) })),
    memoryBytes: os.totalmem(),
    config: windowsConfig(),
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
