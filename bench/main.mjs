// The entry of `npm run bench`: installs what is missing, as `npm start` does, and hands over.
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { install, nodeProblem } from "../cli/install.mjs";

const problem = nodeProblem(process.versions.node);
if (problem) {
  console.error(problem);
  process.exitCode = 2;
} else if (await install(path.resolve(path.dirname(fileURLToPath(import.meta.url)), ".."))) {
  await import("tsx");
  const require = createRequire(import.meta.url);
  const { bench } = require("./bench.ts");
  await require("../cli/cli.ts").main(["bench", ...process.argv.slice(2)], { bench });
} else {
  console.error("the Node packages could not be installed: see npm's message above");
  process.exitCode = 1;
}
