import { address, choice, integer } from "./values";

/** What the workloads read. */
export const dataSettings = {
  datasetSource: choice(["sample", "nyc", "existing"], {
    default: "sample",
    description:
      "Where the input comes from. `sample` is made on this machine, offline and seeded. `nyc` " +
      "downloads TLC's yellow taxi trips (50 MB a month) and photographs of Food-101 (1.3 GB) into " +
      "the cache that all stacks share. `existing` reads what the buckets of `objectStore: s3` hold " +
      "at the same places, and never changes it (docs/cluster.md).",
  }),
  taxiRows: integer({
    default: 1_200_000,
    min: 1000,
    max: 1_000_000_000,
    description:
      "Trips in the sample, over all months. `nyc` has all trips of its months, about 3 million each.",
  }),
  taxiMonths: integer({
    default: 12,
    min: 1,
    max: 12,
    description:
      "Monthly files of trips, 1 to 12. With `nyc`, these are the first months of `taxiYear`.",
  }),
  taxiYear: integer({
    default: 2024,
    min: 2011,
    max: 2100,
    description: "The year of the trips of `nyc`, 2011 or later.",
  }),
  nycMirror: address({
    path: true,
    must: "must be an http or https address without a password or a query",
    description:
      "A server that has the files of `nyc` in place of TLC and Hugging Face, such as " +
      "`https://mirror.example/data`: `trip-data/yellow_tripdata_2024-01.parquet` and so on, " +
      "`misc/taxi_zone_lookup.csv`, and `food-101/validation-00000-of-00003.parquet` to `00002`.",
  }),
  photos: integer({
    default: 200,
    min: 1,
    max: 1_000_000,
    description:
      "JPEG photographs. With `nyc` at most 25250, spread evenly over the 101 classes of Food-101.",
  }),
  fareAbove: integer({
    default: 30,
    min: -1_000_000,
    max: 1_000_000,
    description: "taxi-report keeps the trips with `fare_amount` above this many dollars.",
  }),
};
