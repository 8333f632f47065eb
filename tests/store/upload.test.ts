import { describe } from "vitest";
import { testUploads } from "./uploads";

/** tests/long/load.test.ts has the same with 20,000 objects and 2 GB. */
describe("an upload", () => {
  testUploads({ small: 300, largeBytes: 96 * 2 ** 20, mostBytes: 768 * 2 ** 20, minutes: 3 });
});
