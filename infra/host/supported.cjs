// What the services run on. Plain JavaScript, because cli/install.mjs asks it before anything is
// installed; afterwards the check `platform` does (platform.ts, which has the types).
const fs = require("node:fs");

/** Whether a kernel is Windows' own. @param {string} version the text of /proc/version */
function isWsl(version) {
  return /microsoft/i.test(version);
}

/** The kernel's version; empty on another system than Linux. */
function kernelVersion() {
  try {
    return fs.readFileSync("/proc/version", "utf8");
  } catch {
    return "";
  }
}

/** What this machine is: system and processor as Node names them; `glibc` undefined with another libc. */
function platformFacts() {
  process.report.excludeNetwork = true; // else it asks for the names of hosts
  return {
    system: process.platform,
    kernel: kernelVersion(),
    processor: process.arch,
    glibc: process.report.getReport().header.glibcVersionRuntime,
  };
}

/** What is wrong with a machine, why, and what to do; undefined where the services run on it. */
function unsupported({ system, kernel, processor, glibc }) {
  const isWsl1 = isWsl(kernel) && !/WSL2|microsoft-standard/.test(kernel);
  if (system !== "linux" || isWsl1) {
    const names = { darwin: "macOS", win32: "Windows" };
    return [
      `${isWsl1 ? "WSL1" : (names[system] ?? system)} is not supported`,
      "MinIO, Spark and Ray are run as Linux processes; Linux (x86-64) and WSL2 are supported",
      isWsl1
        ? "in Windows: wsl --set-version <distribution> 2"
        : "use a Linux machine or virtual machine, or WSL2 on Windows",
    ];
  }
  if (processor !== "x64" && processor !== "arm64") {
    return [
      `Linux on ${processor} is not supported`,
      "the engines' packages are not built for this processor",
      "use a machine with an x86-64 processor",
    ];
  }
  const [major = 0, minor = 0] = (glibc ?? "").split(".").map(Number);
  if (major > 2 || (major === 2 && minor >= 28)) return undefined;
  return [
    glibc ? `glibc ${glibc} is too old: 2.28 or later is needed` : "there is no glibc",
    "the engines' packages are built for it; musl, as in Alpine Linux, does not run them",
    "use Debian, Ubuntu, Fedora, or another distribution of the last years with glibc",
  ];
}

module.exports = { isWsl, kernelVersion, platformFacts, unsupported };
