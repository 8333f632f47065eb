// The entry of `npm run bench`: installs what is missing, as `npm start` does, and hands over.
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { begin } from "../cli/install.mjs";

await begin(path.resolve(path.dirname(fileURLToPath(import.meta.url)), ".."), async () => {
  const require = createRequire(import.meta.url);
  const { bench } = require("./bench.ts");
  await require("../cli/cli.ts").main(["bench", ...process.argv.slice(2)], { bench });
});
