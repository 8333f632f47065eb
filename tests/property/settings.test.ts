import * as fc from "fast-check";
import { expect, it } from "vitest";
import { readSettings } from "../../infra/targets/readSettings";
import { quoted, UserError } from "../../infra/contracts/errors";
import { chosenRuns } from "../../pipelines/matrix";
import { defaultConfig, largeMachine } from "../defaults";
import { key, value } from "./arbitraryConfig";

/** The same cases in every run of CI; others by FAST_CHECK_SEED. */
const seed = Number(process.env.FAST_CHECK_SEED ?? 20261123);
/** How many times as many cases as in `npm test`. */
const times = Number(process.env.FAST_CHECK_TIMES ?? 1);

it(
  "settings are either taken or refused with the offending key and a reason",
  () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = Object.fromEntries(changes);
        try {
          const settings = readSettings(defaultConfig(changed), largeMachine);
          expect(chosenRuns(settings).length).toBeGreaterThan(0);
          for (const number of Object.values(settings).filter((one) => typeof one === "number")) {
            expect(Number.isSafeInteger(number)).toBe(true);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          const { what, why, fix } = error as UserError;
          expect(Object.keys(changed).some((name) => names(what, name))).toBe(true);
          expect(what).toMatch(
            /is not a setting|it must be|is missing|leave nothing|there is no|is not set|is set, but/,
          );
          expect(why && fix).toBeTruthy();
          // It can be read in a terminal, whatever was given.
          expect(what).toMatch(/^[^\p{Cc}\p{Cf}]*$/mu);
          expect(what.length).toBeLessThan(4 * 1000);
        }
      }),
      { seed, numRuns: 3000 * times },
    );
  },
  120_000 * times,
);

function names(message: string, key: string): boolean {
  return message.includes(key) || message.includes(quoted(`engine-comparison:${key}`));
}

it(
  "a password is in no message, however wrong it or another setting is",
  () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 4, maxLength: 300, unit: "binary" }),
        key,
        (secret, other) => {
          const password = `s3cr3t${secret}`;
          const changed = { [other]: "?", minioRootPassword: password };
          try {
            readSettings(defaultConfig(changed), largeMachine);
          } catch (error) {
            expect((error as UserError).message).not.toContain("s3cr3t");
          }
        },
      ),
      { seed, numRuns: 500 * times },
    );
  },
  60_000 * times,
);
