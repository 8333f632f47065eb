import { explain } from "./verbs/explain";
import { parseArguments } from "./arguments";
void (async () => {
  const args = parseArguments(explain.syntax, process.argv.slice(2))!;
  process.exit(await explain.run(args));
})();
