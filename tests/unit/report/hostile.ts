import * as fc from "fast-check";

/** Any text, with a liking for what breaks out of markup. */
export const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "</title></style></script><script>alert(1)</script>",
    `"><img src=x onerror=alert(1)>`,
    "' onfocus=alert(1) autofocus '",
    "<!-- ",
    "--> ",
    "]]>",
    "<svg/onload=alert(1)>",
    "&lt;b&gt; &amp;",
    "${1}",
    "\u001b[31mred\u001b[0m",
    "\u202egnp.exe",
    "\ud800",
    "a\u0000b",
    "line\nline",
  ),
);
