import { cacheFolder } from "../../infra/host/folders";
import type { Verb } from "../verb";

export const caches: Verb = {
  usage: "[--clear]",
  summary: "say which stacks use the shared caches, or empty them when none does",
  syntax: { options: { clear: { type: "boolean" } } },
  async run(args) {
    const { cachesInUse, clearCaches } = await import("../../infra/toolchain/caches");
    if (args.flag("clear")) {
      clearCaches();
      console.log(`emptied ${cacheFolder()}`);
      return 0;
    }
    const used = cachesInUse();
    console.log(`the caches are in ${cacheFolder()}`);
    console.log(used.length > 0 ? `in use by ${used.join(", ")}` : "no stack uses them");
    return 0;
  },
};
