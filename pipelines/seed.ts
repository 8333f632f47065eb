/** The seed's three runs, engine and workload, which go first. */
export const seed = [
  ["spark", "taxi-report"],
  ["ray", "image-predictions"],
  ["daft", "image-embeddings"],
] as const;
