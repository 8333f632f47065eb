// `npm run test:faults`: interrupts, faults and load, at seeded random moments. Takes long, so it
// is no part of `npm test`, which has a fast subset. One file of tests/faults after the other.
//
//   npm run test:faults                               all of them
//   npm run test:faults -- --only interrupts,running  some files, by name
//   npm run test:faults -- --seed 7                   the moments of an earlier run again
import * as fs from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { install } from "../cli/install.mjs";
import { checkout, one, pytest, Tally, vitest } from "./counting.mjs";

const { values } = parseArgs({ options: { only: { type: "string" }, seed: { type: "string" } } });

const names = fs
  .readdirSync(path.join(checkout, "tests", "faults"))
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -".test.ts".length))
  .concat("python");
const only = values.only?.split(",") ?? names;
const unknown = only.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`--only ${unknown.join(",")}: tests/faults has ${names.join(", ")}`);
  process.exit(2);
}
if (values.seed !== undefined && !/^\d{1,9}$/.test(values.seed)) {
  console.error(`--seed ${values.seed}: a seed is a number of at most nine digits`);
  process.exit(2);
}

const seed = values.seed ?? String(Math.floor(Math.random() * 1e9));
const env = { FAULTS_SEED: seed, FAST_CHECK_SEED: seed };
console.log(`seed ${seed}`);
const tally = new Tally();
await tally.run("install", async () => one(await install(checkout)));
for (const name of only) {
  if (name === "python") {
    await tally.run(name, () => pytest("long"));
    continue;
  }
  const file = path.join("tests", "faults", `${name}.test.ts`);
  await tally.run(name, () => vitest(name, [file], { env, minutes: 120 }));
}
tally.end();
console.log(`seed ${seed}: the same moments by \`npm run test:faults -- --seed ${seed}\``);
