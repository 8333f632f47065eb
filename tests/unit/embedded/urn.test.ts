import { describe, expect, it } from "vitest";
import { makeUrn, nameOf, providerUrn, qualifiedType } from "../../../embedded/urn";

const stack = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev";

describe("URNs", () => {
  it("carry the types of the chain of parents without the stack", () => {
    const dev = { stack: "dev", project: "shop" };
    const outer = makeUrn({ ...dev, parent: stack, type: "x:y:Outer", name: "outer" });
    expect(outer).toBe("urn:pulumi:dev::shop::x:y:Outer::outer");
    const inner = makeUrn({ ...dev, parent: outer, type: "x:y:Inner", name: "inner" });
    const leaf = makeUrn({
      ...dev,
      parent: inner,
      type: "command:local:Command",
      name: "spark/taxi::1",
    });
    expect(leaf).toBe(
      "urn:pulumi:dev::shop::x:y:Outer$x:y:Inner$command:local:Command::spark/taxi::1",
    );
    expect(qualifiedType(leaf)).toBe("x:y:Outer$x:y:Inner$command:local:Command");
    expect(nameOf(leaf)).toBe("spark/taxi::1");
    expect(providerUrn(`${outer}::some-id`)).toBe(outer);
  });
});
