import { describe, expect, it } from "vitest";
import {
  formerUrns,
  makeUrn,
  nameOf,
  providerUrn,
  qualifiedType,
  typeOf,
} from "../../../embedded/urn";

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
    expect(typeOf(leaf)).toBe("command:local:Command");
    expect(nameOf(leaf)).toBe("spark/taxi::1");
    expect(providerUrn(`${outer}::some-id`)).toBe(outer);
  });
});

describe("former URNs", () => {
  const is = { stack: "dev", project: "shop", type: "t:t:T", name: "new", parent: stack };
  const none = new Map<string, string>();

  it.each([
    [{ urn: "urn:pulumi:a::b::c::d" }, "urn:pulumi:a::b::c::d"],
    [{ name: "old" }, "urn:pulumi:dev::shop::t:t:T::old"],
    [{ type: "t:t:Old" }, "urn:pulumi:dev::shop::t:t:Old::new"],
    [{ stack: "prod", project: "store" }, "urn:pulumi:prod::store::t:t:T::new"],
    [{ parent: "urn:pulumi:dev::shop::p:p:P::p" }, "urn:pulumi:dev::shop::p:p:P$t:t:T::new"],
    [{ noParent: true, parent: "" }, "urn:pulumi:dev::shop::t:t:T::new"],
  ])("of the alias %j", (alias, urn) => {
    expect(formerUrns(is, [alias], none)).toEqual([urn]);
  });

  it("of a child follow those of its parent, by type and by name", () => {
    const parent = "urn:pulumi:dev::shop::p:p:New::app";
    const renamed = new Map([[parent, "urn:pulumi:dev::shop::p:p:Old::site"]]);
    expect(formerUrns({ ...is, parent, name: "app-db" }, [], renamed)).toEqual([
      "urn:pulumi:dev::shop::p:p:Old$t:t:T::site-db",
    ]);
  });
});
