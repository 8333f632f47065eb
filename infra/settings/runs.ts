import { choice, integer, memory, names, text } from "./values";
import { maxPortOffset } from "./ports";

/** Where things run, what runs, and how it is measured. */
export const runSettings = {
  target: text({
    default: "local",
    description:
      "Where things run. `local`: processes of this user on this machine, with one supervisor per " +
      "stack. `docker`: containers on this machine's Docker daemon; it needs the Pulumi CLI. " +
      "`cluster`: an existing Spark and an existing Ray cluster, with a store that both reach. A " +
      "stack keeps its target for life.",
  }),
  gpu: choice(["auto", "required", "off"], {
    default: "auto",
    description:
      "`auto` uses an NVIDIA GPU if one answers, and marks results `cpu` if none does. `required` " +
      "stops before anything is made if there is none. `off` never looks. Target local (Linux, " +
      "x86-64) needs the driver only: ONNX Runtime with CUDA 12 is installed with the toolchain, a " +
      "download of 2 GB more. Stack local has `off`.",
  }),
  gpuWorkers: integer({
    default: 1,
    min: 1,
    max: 64,
    description:
      "Workers that hold a GPU at a time. With more workers than GPUs, the number of GPUs is used " +
      "and a warning is given. Without a GPU it has no effect.",
  }),
  engines: names({
    description:
      "The engines to compare, of the files in `pipelines/engine_comparison/engines/`: spark, ray, " +
      "daft, and baseline, which is one plain process without any engine. Empty means all.",
  }),
  workloads: names({
    description:
      "The workloads to run, of the files in `pipelines/engine_comparison/workloads/`: " +
      "taxi-report, image-predictions and image-embeddings. Empty means all.",
  }),
  matrix: choice(["seed", "full"], {
    default: "full",
    description:
      "`full` runs every chosen engine on every chosen workload that it can do. `seed` runs only " +
      "spark/taxi-report, ray/image-predictions and daft/image-embeddings of these.",
  }),
  batchSize: integer({
    default: 32,
    min: 1,
    max: 4096,
    description: "Images per batch of a model.",
  }),
  decode: choice(["native", "shared"], {
    default: "native",
    description:
      "`native`: each engine decodes and resizes images in its own best way; results are verified " +
      "within a stated tolerance. `shared`: all use one Pillow function; results are verified " +
      "exactly.",
  }),
  oracleImages: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description:
      "How many photographs the oracle answers, one after the other on one thread. If there are " +
      "more, it takes a sample that depends on their names alone. Results say so, and of the others " +
      "only the presence is checked.",
  }),
  maxRejected: integer({
    default: 0,
    min: 0,
    max: 1_000_000_000,
    description:
      "Images that may be corrupt or missing before an image run fails. Rejected images are counted " +
      "with their reason and left out.",
  }),
  warmup: integer({
    default: 1,
    min: 0,
    max: 100,
    description:
      "Executions before the repeats, in the same driver. The first is kept as the `first` sample.",
  }),
  repeats: integer({
    default: 3,
    min: 1,
    max: 1000,
    description: "Hot executions that are measured.",
  }),
  runTimeoutSeconds: integer({
    default: 900,
    min: 10,
    max: 86_400,
    description:
      "A run that takes longer is ended and fails. The clock starts when the run's turn comes.",
  }),
  runMemory: memory({
    default: "6g",
    description:
      "Memory that a run may take, the same for every engine: its job and its engine's services " +
      "together, as measured. A run with a higher peak fails. The default has room for the default " +
      "memory of Spark's workers and for Spark's driver.",
  }),
  portOffset: integer({
    default: 0,
    min: 0,
    max: maxPortOffset,
    description:
      "Added to every port that the stack listens on, so that two stacks can run side by side, " +
      "e.g. 20000.",
  }),
};
