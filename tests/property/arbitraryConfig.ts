import fc from "fast-check";
import { settingKeys } from "../../infra/settings/schema";

/** Names that objects have without being given them. */
const inherited = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then"];

/** Keys: most are settings, some nearly so, some are anything. */
export const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<string>(...settingKeys) },
  fc.constantFrom(...inherited),
  fc.constantFrom(...settingKeys).map((name) => name.toUpperCase()),
  fc.string(),
  fc.string({ unit: "binary" }),
);

/** Text that is too long, looks like what it is not, or does something to a terminal. */
const strange = fc.oneof(
  fc.nat(2_000).map((length) => "9".repeat(length)),
  fc.constantFrom("9".repeat(200_000), "[".repeat(50_000), "[".repeat(9_000) + "]".repeat(9_000)),
  fc.constantFrom(
    ...["", " ", "\0", "\n", "30\n", "\t30", "0x1e", "1e9", "1_000", "٣٠", "３０", "-0", "007"],
    ...["NaN", "Infinity", "null", "true", "undefined", "[object Object]", "2G", "2gb", "0g"],
    ...["99999999999999999999", "9007199254740993", "99999999999g", "\u001b[31mred", "\u202etxt"],
    ...["../../etc/passwd", "$(id)", "`id`", "; id", "%s%n", "a".repeat(5_000), "\ud800"],
    ...["auto", "local", "docker", "http://", "file:///etc/passwd", "http://x y", "http://[::1"],
  ),
);

/** JSON of the wrong shape: deep, doubled, with names that objects inherit. */
const json = fc.oneof(
  fc.json(),
  fc.jsonValue().map((value) => JSON.stringify([value, value])),
  fc.array(fc.constantFrom("spark", "ray", "daft", "", ...inherited)).map((l) => JSON.stringify(l)),
  fc
    .tuple(fc.constantFrom("app", "minio", ...inherited), fc.jsonValue())
    .map(([name, value]) => `{${JSON.stringify(name)}:${JSON.stringify(value)}}`),
);

/** The text of a value, as Pulumi's configuration hands it over. */
export const value = fc.oneof(
  fc.integer().map(String),
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  strange,
  json,
);
