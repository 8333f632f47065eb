import { afterEach, expect, it, vi } from "vitest";
import { bench } from "../../../bench/bench";
import { parseArguments } from "../../../cli/verb";
import { freshHome } from "../cli/home";

const done: string[] = [];
vi.mock("../../../bench/benchmarks", () => {
  const benchmark = (name: string, signal?: "SIGINT" | "SIGTERM") => ({
    name,
    what: "",
    run: async () => {
      done.push(name);
      if (signal) process.emit(signal);
      return [];
    },
  });
  return { benchmarks: [benchmark("first"), benchmark("second", "SIGINT"), benchmark("third")] };
});

freshHome();
afterEach(() => {
  vi.restoreAllMocks();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeAllListeners(signal);
  done.length = 0;
});

const run = (...argv: string[]) => bench.run(parseArguments(bench, argv)!);

it("a benchmark that was interrupted does not succeed", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
  expect(await run()).toBe(1);
  expect(done).toEqual(["first", "second"]);
  expect(said).toHaveBeenLastCalledWith("interrupted");
});

it("one that came to its end does", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  expect(await run("--only", "first,third")).toBe(0);
  expect(done).toEqual(["first", "third"]);
});
