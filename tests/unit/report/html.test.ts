import * as fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { html, plain, trusted } from "../../../report/html";
import { hostile } from "./hostile";

describe("an HTML template", () => {
  it("shows any text as it is, in an element and in an attribute", () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const { document } = parseHTML(html`<p title="${value}">${value}</p>`.text);
        const all = [...document.querySelectorAll("*")];
        expect(all.map(({ tagName }) => tagName)).toEqual(["P"]);
        expect(all[0].textContent).toBe(plain(value));
        expect(all[0].getAttribute("title")).toBe(plain(value));
        expect(all[0].getAttributeNames()).toEqual(["title"]);
      }),
    );
  });

  it("takes HTML as it is, lists piece by piece, and leaves out what is not there", () => {
    const absent: string | undefined = undefined;
    const list = [html`<b>1</b>`, "<2>", 3];
    expect(html`${list}${absent}${false}${trusted("<hr>")}`.text).toBe("<b>1</b>&lt;2&gt;3<hr>");
  });
});

describe("plain text", () => {
  it("has no terminal colours, control characters or marks that turn text around", () => {
    expect(plain("\u001b[1;31mboom\u001b[0m\u0007 \u202egnp")).toBe("boom gnp");
    expect(plain("two\nlines\tand a tab")).toBe("two lines and a tab");
    expect(plain("\ud83d\ude00 \ud83d")).toBe("\ud83d\ude00 \ufffd");
  });
});
