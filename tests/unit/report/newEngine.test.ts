import { parseHTML } from "linkedom";
import { expect, it, vi } from "vitest";
import { renderPage } from "../../../report/page";
import type { Engine } from "../../../results/catalog";
import { fullMatrix, verified } from "./synthetic";

// As if a file of its own were there.
vi.mock(import("../../../results/catalog"), async (original) => {
  const real = await original();
  const added = {
    name: "toy",
    label: "Toy Store",
    engine: "toy",
    use: "other",
    cluster: "none",
    settings: [],
    packages: [],
    workloads: ["taxi-report"],
    unsupported: {},
    noRows: {},
    guides: {},
    tunables: [],
    reference: [],
  } satisfies Engine;
  return { ...real, engines: () => [...real.engines(), added] };
});

it("an added engine has its label, its colour, and a word on the workloads that it does not do", () => {
  const runs = [...fullMatrix, "toy/taxi-report"].map((name) => verified(name));
  const page = renderPage({ stack: "local", runs });
  const { document } = parseHTML(page);
  const rows = [...document.querySelectorAll("#glance tbody tr")].map((row) =>
    [...row.children].map((cell) => (cell.textContent ?? "").replace(/\s+/g, " ").trim()),
  );
  expect(rows.map(([engine]) => engine)).toEqual([
    "Spark",
    "Ray Data",
    "Daft",
    "Polars",
    "Plain Python",
    "Toy Store",
  ]);
  expect(rows[5].filter((cell) => cell === "does not do it")).toHaveLength(2);
  expect(page).toContain("<strong>Toy Store</strong>: what toy keeps.");
  expect(page).toContain("var(--engine-5)");
});
