import type { Benchmark } from "../stack";
import * as engines from "./engines";
import { imageMemory } from "./imageMemory";
import { noChange } from "./noChange";
import { setUp } from "./setUp";
import { twoHosts } from "./twoHosts";
import { uploads } from "./uploads";

/** Every benchmark, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  engines.taxiReport,
  engines.imagePredictions,
  engines.imageEmbeddings,
  engines.startUp,
  uploads,
  engines.datasets,
  noChange,
  setUp,
  imageMemory,
  twoHosts,
];
