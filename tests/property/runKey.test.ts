import * as fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson } from "../../infra/canonical";
import { runKey } from "../../pipelines/runInputs";

const inputs = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { minKeys: 1 });

it("a run key does not depend on the order of its inputs", () => {
  fc.assert(
    fc.property(inputs, (some) => {
      const reversed = Object.fromEntries(Object.entries(some).reverse());
      expect(runKey(reversed)).toBe(runKey(some));
    }),
  );
});

it("a run key changes with every name and every value", () => {
  fc.assert(
    fc.property(inputs, fc.nat(), fc.string({ minLength: 1 }), (some, pick, suffix) => {
      const names = Object.keys(some);
      const name = names[pick % names.length];
      expect(runKey({ ...some, [name]: some[name] + suffix })).not.toBe(runKey(some));
      const { [name]: value, ...others } = some;
      expect(runKey(others)).not.toBe(runKey(some));
      if (!(name + suffix in some)) {
        expect(runKey({ ...others, [name + suffix]: value })).not.toBe(runKey(some));
      }
    }),
  );
});

it("different inputs have different canonical JSON, and equal inputs the same", () => {
  fc.assert(
    fc.property(inputs, inputs, (a, b) => {
      const equal = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
      expect(canonicalJson(a) === canonicalJson(b)).toBe(equal);
    }),
  );
});

function sorted(some: Record<string, string>): [string, string][] {
  return Object.entries(some).sort(([a], [b]) => (a < b ? -1 : 1));
}
