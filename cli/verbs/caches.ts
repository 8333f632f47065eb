import { cacheFolder } from "../../infra/host/folders";
import { verb } from "../verb";

export const caches = verb({
  summary: "say which stacks use the shared caches, or empty them when none does",
  options: { clear: { type: "boolean", help: "empties them" } },
  async run({ options }) {
    const { cachesInUse, clearCaches } = await import("../../infra/toolchain/caches");
    if (options.clear) {
      clearCaches();
      console.log(`emptied ${cacheFolder()}`);
      return 0;
    }
    const used = cachesInUse();
    console.log(`the caches are in ${cacheFolder()}`);
    console.log(used.length > 0 ? `in use by ${used.join(", ")}` : "no stack uses them");
    return 0;
  },
});
