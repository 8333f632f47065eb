import { spawnSync } from "node:child_process";
import { chromium, type Browser } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The first of the browsers that is on PATH. */
const executablePath = names
  .map((name) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim())
  .find((found) => found !== "");

/** Whether there is a browser, and what to add to a test's name where there is none. */
export const hasBrowser = executablePath !== undefined;
export const withoutBrowser = hasBrowser
  ? ""
  : ` (skipped: none of ${names.join(", ")} is on PATH)`;

export function openBrowser(): Promise<Browser> {
  // As root, as in containers, Chromium has no sandbox; what it opens is our own page.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args });
}
