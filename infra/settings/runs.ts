import { maxPortOffset } from "./ports";
import * as z from "zod";
import {
  choice,
  flag,
  integer,
  memory,
  names,
  notInput,
  object,
  text,
  address,
  optional,
} from "./values";

/** Where things run, what runs, and how it is measured. */
export const runSettings = {
  target: text(
    "Where things run. `local`: processes of this user on this machine, with one supervisor per " +
      "stack. `docker`: containers on this machine's Docker daemon; it needs the Pulumi CLI. " +
      "`cluster`: an existing Spark and an existing Ray cluster, with a store that both reach. A " +
      "stack keeps its target for life.",
    "local",
  ),
  gpu: choice(
    "`auto` uses an NVIDIA GPU if one answers, and marks results `cpu` if none does. `required` " +
      "stops before anything is made if there is none. `off` never looks. Target local (Linux, " +
      "x86-64) needs the driver only: ONNX Runtime with CUDA 12 is installed with the toolchain, a " +
      "download of 2 GB more. Stack local has `off`.",
    ["auto", "required", "off"],
    "auto",
  ),
  gpuWorkers: integer(
    "Workers that hold a GPU at a time. With more workers than GPUs, the number of GPUs is used " +
      "and a warning is given. Without a GPU it has no effect.",
    { default: 1, min: 1, max: 64 },
  ),
  engines: names(
    "The contenders to compare, by the exact names of the files in " +
      "`pipelines/engine_comparison/engines/`, such as spark or polars. Empty means those of `matrix`.",
  ),
  workloads: names(
    "The workloads to run, of the files in `pipelines/engine_comparison/workloads/`: " +
      "taxi-report, image-predictions and image-embeddings. Empty means those of `matrix`.",
  ),
  matrix: choice(
    "`quick` runs spark, ray and daft on every workload, and each workload's reference, unless " +
      "`engines` names other contenders. `full` runs all contenders. `seed` runs only " +
      "spark/taxi-report, ray/image-predictions and daft/image-embeddings.",
    ["seed", "quick", "full"],
    "quick",
  ),
  tunables: object(
    "Other values of what tuned contenders set, by contender and name, such as " +
      '`{"ray-tuned": {"override_num_blocks": 4}}`. Each contender\'s file in ' +
      "`pipelines/engine_comparison/engines/` lists its tunables with their values and reasons.",
    z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))),
    () => "must be an object of objects, whose values are texts, numbers or true and false",
  ),
  batchSize: integer("Images per batch of a model.", { default: 32, min: 1, max: 4096 }),
  fetchConcurrency: integer(
    "Images that a run fetches at a time where the project's code fetches them; its workers share them.",
    { default: 16, min: 1, max: 1024 },
  ),
  oracleImages: integer(
    "How many photographs the oracle answers, one after the other on one thread. If there are " +
      "more, it takes a sample that depends on their names alone. Results say so, and of the others " +
      "only the presence is checked.",
    { default: 10_000, min: 1, max: 1_000_000 },
  ),
  maxRejected: integer(
    "Images that may be corrupt or missing before an image run fails. Rejected images are counted " +
      "with their reason and left out.",
    { default: 0, min: 0, max: 1_000_000_000 },
  ),
  measureSeconds: integer(
    "Budget of each driver process for hot samples; it begins when the first sample has ended. " +
      "At least three are taken, and then more until the run is steady: the medians of the last two " +
      "groups of three differ by at most 5 %, or by no more than their noise. A run whose budget is " +
      "used up before is marked `still warming`.",
    { default: 10, min: 0, max: 86_400 },
  ),
  maxSamples: integer("Hot samples that a driver process takes at most.", {
    default: 60,
    min: 1,
    max: 1000,
  }),
  forks: integer(
    "Driver processes of a run, one after the other, each with a start-up and a first sample. With " +
      "one, nothing is known of how far processes differ.",
    { default: 1, min: 1, max: 20 },
  ),
  warmup: optional(
    "With `repeats`, fixes how many samples are taken: executions before those that are measured, " +
      "the first sample among them. Empty: 1 with `repeats`, else as many as it takes.",
    { pattern: /^(\d|[1-9]\d|100)$/, must: "must be a whole number from 0 to 100, or empty" },
  ),
  repeats: optional(
    "Fixes how many hot samples are measured, 1 to 1000. Empty: until they are steady, or 3 with " +
      "`warmup`.",
    { pattern: /^([1-9]\d{0,2}|1000)$/, must: "must be a whole number from 1 to 1000, or empty" },
  ),
  profile: flag(
    "Takes one more sample of each run, which is in no figure, and has the engine say where its time " +
      "went: the report then names the bottleneck. It takes a start-up and two samples more.",
    false,
  ),
  runTimeoutSeconds: integer(
    "A run that takes longer is ended and fails. The clock starts when the run's turn comes.",
    { default: 900, min: 10, max: 86_400 },
  ),
  runMemory: memory(
    "Memory that a run may take, the same for every engine: its job and its engine's services " +
      "together, as measured. A run with a higher peak is `out of memory`. The default has room for " +
      "the default memory of Spark's workers and for Spark's driver.",
    "6g",
  ),
  outOfMemory: notInput(
    choice(
      "What it is for a run to be `out of memory`. `failure`: it fails, and the next `up` tries again. " +
        "`outcome`: an answer like others, for who asks which contenders can do with `runMemory`.",
      ["failure", "outcome"],
      "failure",
    ),
  ),
  network: choice(
    "Target local: how far away the store is for the engines. With `10ms` or `50ms` they reach it by " +
      "a proxy (Toxiproxy) that adds so much to each round trip. Bandwidth is not limited. Uploads, oracles and " +
      "checks of outputs use no proxy (docs/architecture.md).",
    ["none", "10ms", "50ms"],
    "none",
  ),
  prices: notInput(
    optional(
      "A JSON file that says what a machine costs (docs/prices.example.json): the report then shows " +
        "the money for a million rows or a thousand images. Relative to the checkout, or absolute.",
    ),
  ),
  portOffset: integer(
    "Added to every port that the stack listens on, so that two stacks can run side by side, " +
      "e.g. 20000.",
    { default: 0, min: 0, max: maxPortOffset },
  ),
};

export const dataSettings = {
  datasetSource: choice(
    "Where the input comes from. `sample` is made on this machine, offline and seeded. `nyc` " +
      "downloads TLC's yellow taxi trips (50 MB a month) and photographs of Food-101 (1.3 GB) into " +
      "the cache that all stacks share. `existing` reads what the buckets of `objectStore: s3` hold " +
      "at the same places, and never changes it (docs/cluster.md).",
    ["sample", "nyc", "existing"],
    "sample",
  ),
  taxiRows: integer(
    "Trips in the sample, over all months. `nyc` has all trips of its months, about 3 million each.",
    { default: 12_000_000, min: 1000, max: 1_000_000_000 },
  ),
  taxiMonths: integer(
    "Monthly files of trips, 1 to 12. With `nyc`, these are the first months of `taxiYear`.",
    { default: 12, min: 1, max: 12 },
  ),
  taxiYear: integer("The year of the trips of `nyc`, 2011 or later.", {
    default: 2024,
    min: 2011,
    max: 2100,
  }),
  nycMirror: address(
    "A server that has the files of `nyc` in place of TLC and Hugging Face, such as " +
      "`https://mirror.example/data`: `trip-data/yellow_tripdata_2024-01.parquet` and so on, " +
      "`misc/taxi_zone_lookup.csv`, and `food-101/validation-00000-of-00003.parquet` to `00002`.",
    "must be an http or https address without a password or a query",
    { path: true },
  ),
  photos: integer(
    "JPEG photographs. With `nyc` at most 25250, spread evenly over the 101 classes of Food-101.",
    { default: 200, min: 1, max: 1_000_000 },
  ),
  fareAbove: integer("taxi-report keeps the trips with `fare_amount` above this many dollars.", {
    default: 30,
    min: -1_000_000,
    max: 1_000_000,
  }),
};

/** How large the engines are and how they run a model. */
export const engineSettings = {
  sparkWorkers: integer("Spark workers that targets local and docker start.", {
    default: 2,
    min: 1,
    max: 1000,
  }),
  sparkExecutors: integer(
    "Executors that a run of Spark takes, each with the cores and memory of a worker. On one machine one " +
      "is best: two JVMs compile everything twice.",
    { default: 1, min: 1, max: 1000 },
  ),
  sparkWorkerCores: integer("Cores that each Spark worker offers.", {
    default: 2,
    min: 1,
    max: 256,
  }),
  sparkWorkerMemory: memory(
    "Memory that each Spark worker offers to executors, e.g. `2g` or `1536m`.",
    "2g",
  ),
  rayCpus: integer("CPUs that the Ray cluster offers.", { default: 2, min: 1, max: 1024 }),
  rayObjectStoreMemory: memory("Size of Ray's shared-memory object store.", "1g"),
  daftRunner: choice(
    "How Daft runs: `native` or `ray`. `auto` is native on target local and ray on the others.",
    ["auto", "native", "ray"],
    "auto",
  ),
  modelPath: optional(
    "A custom model: an ONNX classifier or encoder to use in place of EfficientNet-Lite0, with a " +
      "JSON file beside it (docs/models.md). Relative to the checkout, or absolute.",
  ),
};
