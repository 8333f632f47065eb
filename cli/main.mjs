// The entry of `npm start` and its friends: node cli/main.mjs <verb> [options]
// It depends on nothing that has to be installed, installs the rest, and hands over to cli.ts.
import module from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { begin } from "./install.mjs";

const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

// From Node 22.8 on compiled code is kept for the next process: for this one, the program and steps.
const compiled = path.join(checkout, "node_modules", ".cache", "compiled");
module.enableCompileCache?.(compiled);
process.env.NODE_COMPILE_CACHE ??= compiled;

await begin(checkout, async () => {
  const { main } = module.createRequire(import.meta.url)("./cli.ts");
  await main(process.argv.slice(2));
});
