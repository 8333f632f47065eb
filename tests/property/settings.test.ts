import * as fc from "fast-check";
import { expect, it } from "vitest";
import { parseSettings, settingKeys } from "../../infra/settings";
import { UserError } from "../../infra/userError";
import { defaultConfig, largeMachine } from "../defaults";

const key = fc.oneof(fc.constantFrom<string>(...settingKeys), fc.string());
const value = fc.oneof(
  fc.string(),
  fc.integer().map(String),
  fc.double().map(String),
  fc.json(),
  fc.constantFrom("", "auto", "0", "-1", "1e9", "null", "2g", "[]", '["spark"]', "__proto__"),
);

it("settings are either taken or refused with the offending key and a reason", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = Object.fromEntries(changes);
      try {
        parseSettings(defaultConfig(changed), largeMachine);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        const { what, why, fix } = error as UserError;
        expect(Object.keys(changed).some((name) => what.includes(name))).toBe(true);
        expect(what).toMatch(/is not a setting|it must be|is missing|leave nothing/);
        expect(why && fix).toBeTruthy();
      }
    }),
    { numRuns: 3000 },
  );
});
