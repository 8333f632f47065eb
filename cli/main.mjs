// The entry of `npm start` and its friends: node cli/main.mjs <verb> [options]
// It depends on nothing that has to be installed, installs the rest, and hands over to cli.ts.
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { begin } from "./install.mjs";

await begin(path.resolve(path.dirname(fileURLToPath(import.meta.url)), ".."), async () => {
  const { main } = createRequire(import.meta.url)("./cli.ts");
  await main(process.argv.slice(2));
});
