import type { Benchmark } from "./benchmark";
import { reporters } from "./taxiReport";

export const startUp: Benchmark = {
  name: "start-up",
  what: "each engine's start in fresh processes",
  async run(bench) {
    await bench.deployed();
    const contenders = (await reporters(bench.stack, "start-up")).map((each) => ({
      ...each,
      against: each.against && ["polars"],
    }));
    return [await bench.measured({ title: "start-up", rounds: bench.samples ?? 5, contenders })];
  },
};
