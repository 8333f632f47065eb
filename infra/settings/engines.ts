import { choice, integer, memory, optional } from "./values";

/** How large the engines are and how they run a model. */
export const engineSettings = {
  sparkWorkers: integer({
    default: 2,
    min: 1,
    max: 1000,
    description: "Workers of the Spark cluster.",
  }),
  sparkWorkerCores: integer({
    default: 1,
    min: 1,
    max: 256,
    description: "Cores that each Spark worker offers.",
  }),
  sparkWorkerMemory: memory({
    default: "2g",
    description: "Memory that each Spark worker offers to executors, e.g. `2g` or `1536m`.",
  }),
  rayCpus: integer({
    default: 2,
    min: 1,
    max: 1024,
    description: "CPUs that the Ray cluster offers.",
  }),
  rayObjectStoreMemory: memory({
    default: "1g",
    description: "Size of Ray's shared-memory object store.",
  }),
  rayCompute: choice(["auto", "actors", "tasks"], {
    default: "auto",
    description:
      "How Ray Data runs a model. `actors`: a pool of actors that load it once. `tasks`: each " +
      "worker process caches one session. `auto`: actors with a GPU, tasks without, which measured " +
      "faster.",
  }),
  daftRunner: choice(["auto", "native", "ray"], {
    default: "auto",
    description:
      "How Daft runs: `native` or `ray`. `auto` is native on target local and ray on the others.",
  }),
  modelPath: optional({
    description:
      "A custom model: an ONNX classifier or encoder to use in place of EfficientNet-Lite0, which is " +
      "built from weights in a Python package. Relative to the checkout, or absolute.",
  }),
};
