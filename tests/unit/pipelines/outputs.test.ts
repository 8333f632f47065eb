import { Readable } from "node:stream";
import { expect, it, vi } from "vitest";
import { settlePublished } from "../../../pipelines/stored";

const objects = new Map<string, string>();
const client = {
  listObjectsV2: (_bucket: string, prefix: string) =>
    [...objects.keys()].filter((name) => name.startsWith(prefix)).map((name) => ({ name })),
  getObject: async (_bucket: string, name: string) => Readable.from([objects.get(name)!]),
  removeObjects: async (_bucket: string, names: string[]) => {
    for (const name of names) objects.delete(name);
    return [];
  },
};
vi.mock(import("../../../infra/stores/client"), async (original) => ({
  ...(await original()),
  storeClient: () => client as never,
}));

const prefix = "report/engine=spark/";

/** Publishes a run as publish.py does. */
function publish(files: Record<string, unknown>, ...others: string[]): void {
  objects.clear();
  const manifest = { run: "k", files: [], copies: [], previous: [], ...files };
  objects.set(`${prefix}_manifest.json`, JSON.stringify(manifest));
  for (const name of others) objects.set(prefix + name, "");
}

it("what the manifest does not name is removed; what was published before stays", async () => {
  publish(
    { files: [{ path: "_attempts/2/a" }], copies: ["run=k/a"], previous: ["_attempts/1/a"] },
    ...["_attempts/1/a", "_attempts/2/a", "_attempts/3/a", "run=k/a", "run=old/a"],
  );
  expect(await settlePublished("s", "warehouse", prefix)).toBe("k");
  expect([...objects.keys()].map((name) => name.slice(prefix.length))).toEqual([
    "_manifest.json",
    "_attempts/1/a",
    "_attempts/2/a",
    "run=k/a",
  ]);
});

it("a run of which a file is missing is not published", async () => {
  publish({ files: [{ path: "_attempts/2/a" }], copies: ["run=k/a"] }, "run=k/a");
  expect(await settlePublished("s", "warehouse", prefix)).toBeUndefined();
  objects.clear();
  expect(await settlePublished("s", "warehouse", prefix)).toBeUndefined();
});
