import * as engines from "./engines";
import { noChange } from "./noChange";
import { setUp } from "./setUp";
import { uploads } from "./uploads";

/** Every benchmark, in the order in which they run. */
export const benchmarks = [
  engines.taxiReport,
  engines.imagePredictions,
  engines.imageEmbeddings,
  uploads,
  noChange,
  setUp,
] as const;
