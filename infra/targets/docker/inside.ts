import { ports } from "../../settings/ports";

/** The ports inside the network, which no setting changes. */
export const inside = ports(0);

/** The object store as containers see it. */
export const storeEndpoint = `http://minio:${inside.minio.api}`;

/** Where drivers find Spark's master. */
export const sparkMasterUrl = `spark://spark-master:${inside.sparkMaster.rpc}`;

/** Where drivers find Ray's head. */
export const rayHeadAddress = `ray-head:${inside.ray.gcs}`;

/** Where people's programs in `app` find it: Ray Client. Jobs do not use it, because it fails now and then. */
export const rayClientUrl = `ray://ray-head:${inside.ray.client}`;

/** User and group of the images' processes. */
export const user = "10001:10001";

/** Where the volume with the secrets is in every container. */
export const credentialsFolder = "/run/credentials";

/** Where the volume for large temporary files is in the containers of engines. */
export const scratchFolder = "/scratch";

/** Where the volume with the user's own model is, if there is one. */
export const ownModelFolder = "/opt/own-model";

/** Where the engine image has Spark's S3A jars, Java and the default model. */
export const imagePaths = {
  jars: "/opt/jars",
  java: "/opt/java",
  model: "/opt/model",
  spark: "/opt/spark",
};
