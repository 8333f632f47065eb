import * as z from "zod";
import { ports } from "./ports";
import { bytes, object, optional, address, choice, integer, secret } from "./values";

export const containerRoles = [
  "minio",
  "spark-master",
  "spark-worker",
  "ray-head",
  "ray-worker",
  "app",
] as const;
export type ContainerRole = (typeof containerRoles)[number];

const cpus = z
  .string()
  .regex(/^\d+(\.\d{1,2})?$/, "must be a number of CPUs such as 2 or 1.5")
  .transform(Number)
  .refine((n) => n >= 0.1, "must be at least 0.1 CPUs");

/** A map from roles to values. A role that is not in it has no value. */
function byRole<Schema extends z.ZodType<unknown, string>>(description: string, value: Schema) {
  const map = z.partialRecord(z.enum(containerRoles), z.coerce.string().pipe(value));
  return object(description, map, ({ code, path, message }) =>
    path.length > 0 && code !== "unrecognized_keys"
      ? `${message} for ${String(path[0])}`
      : `must be an object with some of the keys ${containerRoles.join(", ")}`,
  );
}

export const containerSettings = {
  baseImage: optional(
    "Target docker: the base of the containers' images, with apt and Debian 12 or later or Ubuntu " +
      "22.04 or later. Empty means a Debian of an exact version, and NVIDIA's CUDA 12 runtime with " +
      "cuDNN 9 if there is a GPU.",
    {
      pattern: /^[a-z0-9][\w.\-/:@]*$/,
      must: "must be the name of an image, such as debian:bookworm-slim",
    },
  ),
  extraCaCertificates: optional(
    "Target docker: a PEM file with certificates that the builds of the images trust besides the " +
      "usual ones, for instance behind a proxy that inspects TLS. Relative to the checkout, or " +
      "absolute. No image keeps any of it.",
  ),
  containerMemory: byRole(
    'Target docker: memory of containers, such as `{"app": "6g"}`, for minio, spark-master, ' +
      "spark-worker, ray-head, ray-worker and app. For the others it follows from the sizes of " +
      "Spark's and Ray's workers.",
    bytes,
  ),
  containerCpus: byRole(
    'Target docker: CPUs of containers, such as `{"app": "1.5"}`. By default a Spark worker has ' +
      "its cores, Ray's worker has `rayCpus`, and app has as many as all Spark workers together. The " +
      "others share all CPUs.",
    cpus,
  ),
  containerShm: byRole(
    'Target docker: size of /dev/shm of containers, such as `{"ray-worker": "2g"}`. By default ' +
      "Ray's worker has room for its object store.",
    bytes,
  ),
};

export const clusterSettings = {
  clusterSize: choice(
    "Target cluster: how much of Spark and Ray the runs take. `whole`: all cores that each has " +
      "when the program starts, by the master's page and the dashboard. `stated`: `sparkExecutors` " +
      "executors of `sparkWorkerCores` and `sparkWorkerMemory`, and `rayCpus`.",
    ["whole", "stated"],
    "whole",
  ),
  sparkMaster: optional(
    "Target cluster: the master of a Spark standalone cluster, such as " +
      "`spark://master.example:7077`.",
    {
      pattern: /^spark:\/\/[\w.-]+:\d+(,[\w.-]+:\d+)*$/,
      must: "must be the address of a standalone master, such as spark://master.example:7077",
    },
  ),
  sparkMasterUi: address(
    "Target cluster: the master's page, which says the cluster's version and size. Empty means " +
      "port 8080 of the master.",
    "must be the address of a master's page, such as http://master.example:8080",
  ),
  sparkSecret: secret(
    "Target cluster: the cluster's `spark.authenticate.secret`; set it with `--secret`. Empty " +
      "means that the cluster asks for none.",
  ),
  sparkDriverHost: optional(
    "Target cluster: this machine's address as Spark's workers reach it. Empty means its address " +
      "on the route to the master.",
    { pattern: /^[\w.-]+$/, must: "must be a name or an address of IPv4" },
  ),
  sparkDriverPort: integer(
    "Target cluster: the first of 20 ports on which Spark's driver, on this machine, waits for the " +
      "workers. `portOffset` is added.",
    { default: ports(0).sparkDriver[0], min: 1024, max: 65_000 },
  ),
  rayAddress: address(
    "Target cluster: the dashboard of a Ray cluster, which takes the jobs, such as " +
      "`http://head.example:8265`.",
    "must be the address of a dashboard, such as http://head.example:8265",
  ),
  rayToken: secret(
    "Target cluster: the Ray cluster's token; set it with `--secret`. Empty means that the " +
      "cluster asks for none.",
  ),
};
