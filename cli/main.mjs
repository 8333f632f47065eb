// The entry of `npm start` and its friends: node cli/main.mjs <verb> [options]
// It depends on nothing that has to be installed, installs the rest, and hands over to cli.ts.
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { install, nodeProblem } from "./install.mjs";

const problem = nodeProblem(process.versions.node);
if (problem) {
  console.error(problem);
  process.exitCode = 2;
} else if (await install(path.resolve(path.dirname(fileURLToPath(import.meta.url)), ".."))) {
  // From here on this process reads TypeScript: what `node --import tsx` does, without a second one.
  await import("tsx");
  const { main } = createRequire(import.meta.url)("./cli.ts");
  await main(process.argv.slice(2));
} else {
  console.error("the Node packages could not be installed: see npm's message above");
  process.exitCode = 1;
}
