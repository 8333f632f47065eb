/** The roles of containers, which are also their names inside the network. */
export type Role =
  "minio" | "spark-master" | `spark-worker-${number}` | "ray-head" | "ray-worker" | "app";

/** The label on everything that a stack has on the daemon: its id, by which all is found and removed. */
export const idLabel = "engine-comparison.id";

/** The label with the stack's name, for people: other homes and users may have a stack of this name. */
export const stackLabel = "engine-comparison.stack";

/** The label with the number of times a thing was made; see inspect.ts. */
export const generationLabel = "engine-comparison.generation";

/** What a stack's volumes are for. */
export const volumePurposes = ["minio-data", "credentials", "scratch", "model"] as const;
export type VolumePurpose = (typeof volumePurposes)[number];

/** The stack whose containers have the seed's names. */
const seedStack = "dev";

/** The names of what a stack has on the daemon: the seed's on stack `dev`, else with the stack's name. */
export function names(stack: string) {
  const own = stack === seedStack;
  return {
    network: own ? "engine-comparison" : `engine-comparison-${stack}`,
    container: (role: Role) => (own ? role : `${stack}-${role}`),
    volume: (purpose: VolumePurpose) =>
      `${own ? "engine-comparison" : `engine-comparison-${stack}`}-${purpose}`,
    image: (image: string, hash: string) =>
      `engine-comparison/${own ? image : `${stack}-${image}`}:${hash}`,
  } as const;
}

/** Every role of a stack, in the order in which they become ready. */
export function roles(sparkWorkers: number): Role[] {
  return [
    "minio",
    "spark-master",
    ...Array.from({ length: sparkWorkers }, (_, n) => `spark-worker-${n + 1}` as const),
    "ray-head",
    "ray-worker",
    "app",
  ];
}
