import type { Benchmark } from "./benchmark";
import { datasets } from "./datasets";
import { imageEmbeddings, imagePredictions } from "./images";
import { imageMemory } from "./imageMemory";
import { noChange } from "./noChange";
import { setUp } from "./setUp";
import { startUp, taxiReport } from "./taxiReport";
import { twoHosts } from "./twoHosts";
import { uploads } from "./uploads";

/** Every benchmark, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  taxiReport,
  imagePredictions,
  imageEmbeddings,
  startUp,
  uploads,
  datasets,
  noChange,
  setUp,
  imageMemory,
  twoHosts,
];
