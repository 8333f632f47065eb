import * as fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { engines } from "../../../results/catalog";
import type { RunOutcome } from "../../../results/outcome";
import { renderPage } from "../../../report/page";
import { hostile } from "./hostile";
import { failed, fullMatrix, notRun, verified } from "./synthetic";

function render(runs: readonly RunOutcome[]) {
  const text = renderPage({ stack: "local", runs });
  const { document } = parseHTML(text);
  return { text, document };
}

type Page = ReturnType<typeof render>["document"];

const words = (element: { textContent: string | null } | null) =>
  (element?.textContent ?? "").replace(/\s+/g, " ").trim();

type Place = Pick<Page, "querySelectorAll">;

/** The rows of all tables in a place, cell by cell. */
function rowsIn(place: Place): string[] {
  return [...place.querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map(words).join(" "),
  );
}

/** The rows that are about one engine. */
function rowsOf(place: Place, name: string): string[] {
  return rowsIn(place).filter((row) => row.startsWith(`${name} `));
}

const seed = ["spark/taxi-report", "ray/image-predictions", "daft/image-embeddings"];

describe("the page", () => {
  it.each([
    ["one run", ["daft/taxi-report"]],
    ["three runs", seed],
    ["twelve runs", fullMatrix],
  ])("shows every run, of %s", (_what, names) => {
    const { document, text } = render(names.map((name) => verified(name)));
    expect(words(document.querySelector(".lead"))).toContain(
      `${names.length} ${names.length === 1 ? "run" : "runs"}, ${names.length} verified.`,
    );
    const workloads = [...new Set(names.map((name) => name.split("/")[1]))];
    expect(document.querySelectorAll("section[id^=workload]").length).toBe(workloads.length);
    expect(document.querySelectorAll("main section > h2").length).toBe(workloads.length + 2);
    for (const name of names) expect(text).toContain(`<td class="words">${name}</td>`);
    expect(text).not.toContain("⚠");
    expect(text).not.toMatch(/\b(undefined|NaN|\[object)/);
  });

  it("shows what the GPUs did, and says where that was not measured", () => {
    const device = {
      ...{ uuid: "GPU-0", name: "NVIDIA A10", peakMemoryBytes: 3 * 2 ** 30 },
      ...{ busyShare: 0.42, starvedShare: 0.31, joulesPerSample: 512 },
    };
    const gpu = { devices: [device], imagesPerSecondPerGpu: 812, imagesPerSecondPerCore: 203 };
    const { document } = render([
      verified("ray/image-predictions", { result: { device: "cuda", gpu } }),
      verified("daft/image-predictions", { result: { device: "cuda", gpu: null } }),
      verified("spark/image-predictions"),
    ]);
    const [table] = [...document.querySelectorAll("table")].filter((one) =>
      words(one.querySelector("caption")).startsWith("GPUs"),
    );
    expect(rowsIn(table)).toEqual([
      "Ray Data 1 42 % 31 % 3.00 GiB 512 812 203",
      `Daft${" not measured".repeat(7)}`,
    ]);
    const none = render([verified("spark/image-predictions")]).document;
    expect(none.body.textContent).not.toContain("GPUs at work");
  });

  it("is the same, byte by byte, for the same data", () => {
    const runs = fullMatrix.map((name) => verified(name));
    expect(render(runs).text).toBe(render(runs).text);
  });

  it("asks for nothing from anywhere", () => {
    const { document, text } = render(fullMatrix.map((name) => verified(name)));
    expect(document.querySelectorAll("script, img, iframe, object, embed, video").length).toBe(0);
    expect(text).not.toMatch(/url\(|@import|\b(src|srcset|xlink:href)=/);
    const hrefs = (which: string) =>
      [...document.querySelectorAll(which)].map((one) => one.getAttribute("href")!);
    expect(hrefs("[href]:not(a)")).toEqual(["data:,"]);
    for (const href of hrefs("a")) expect(href).toMatch(/^(#|https:)/);
    expect(text).toContain("default-src &#39;none&#39;");
  });

  it("links the pages that documented contenders are written by", () => {
    const { document } = render(fullMatrix.map((name) => verified(name)));
    const links = [...document.querySelectorAll("#workload-1 a[href^=https]")].map(words);
    const documented = engines().filter(
      ({ name, use }) => use === "documented" && fullMatrix.includes(`${name}/taxi-report`),
    );
    expect(links).toEqual(documented.map(({ guides }) => guides["taxi-report"]));
    expect(links.length).toBe(4);
  });

  it("has a description and a table of the same numbers for every chart", () => {
    const { document } = render(fullMatrix.map((name) => verified(name)));
    const figures = [...document.querySelectorAll("figure")];
    expect(figures.length).toBe(12);
    const ids = new Set<string>();
    for (const figure of figures) {
      const svg = figure.querySelector("svg")!;
      expect(svg.getAttribute("role")).toBe("img");
      for (const part of ["title", "desc"]) {
        const { id } = svg.querySelector(part)!;
        expect(words(svg.querySelector(part))).not.toBe("");
        expect(ids.has(id)).toBe(false);
        ids.add(id);
      }
      expect(figure.querySelector("table caption")).not.toBeNull();
    }
    for (const table of document.querySelectorAll("table")) {
      expect(words(table.querySelector("caption"))).not.toBe("");
      expect(table.querySelectorAll("th:not([scope])").length).toBe(0);
    }
  });
});

describe("a run that was profiled", () => {
  const stage = { rows: null, bytes: null, spilledBytes: null };
  const profile = {
    means: "Spark's event log",
    seconds: 2,
    stages: [
      { ...stage, name: "stage 1: scan", kind: "read", seconds: 1.2, rows: 1_200_000, bytes: 5e6 },
      { ...stage, name: "stage 2", kind: "shuffle", seconds: 0.2, spilledBytes: 3 * 2 ** 20 },
      { ...stage, name: "what no stage covers", kind: "coordination", seconds: 0.6 },
      { ...stage, name: "start-up", kind: "start-up", seconds: 4 },
    ],
    nodes: [{ name: "executor 0", peakMemoryBytes: 2 ** 30, cpuSeconds: 3.5, measure: "RSS" }],
    bottleneck: "read",
    oneShotBottleneck: "start-up",
  };
  const untold = { ...stage, name: "Read", kind: "read", seconds: 2 };
  const { document } = render([
    verified("spark/taxi-report", { result: { profile } }),
    verified("ray/taxi-report", { result: { profile: { failed: "no statistics" } } }),
    verified("polars/taxi-report"),
    verified("daft/taxi-report", { result: { profile: { ...profile, stages: [untold] } } }),
    verified("daft/image-embeddings"),
  ]);
  const [section, other] = document.querySelectorAll("section[id^=workload]");

  it("has its bottlenecks and the shares of its kinds beside the others'", () => {
    const shares = "60 % – – 10 % – 30 %";
    expect(rowsOf(section, "Spark")).toContain(`Spark read start-up 2.00 s ${shares} 3.00 MiB`);
    expect(rowsOf(section, "Ray Data")).toContain(`Ray Data ✕ no statistics${" –".repeat(9)}`);
    expect(rowsOf(section, "Polars")).toContain(`Polars not asked for${" –".repeat(9)}`);
  });

  it("has no spilled bytes where its engine does not tell them", () => {
    expect(rowsOf(section, "Daft")).toContain(`Daft read start-up 2.00 s 100 %${" –".repeat(6)}`);
  });

  it("has its stages in the engine's words, and what the nodes used", () => {
    const found = rowsIn(section);
    expect(found).toContain("stage 1: scan read 1.20 s 1,200,000 4.77 MiB –");
    expect(found).toContain("start-up start-up 4.00 s – – –");
    expect(found).toContain("executor 0 1.00 GiB 3.50 s RSS");
    expect(words(section)).toContain("By Spark's event log");
  });

  it("is not spoken of where nobody asked for it", () => {
    expect(words(other)).not.toContain("Where the time goes");
  });
});

describe("what a run asked of the store", () => {
  const counts = {
    byApi: { GetObject: 12, HeadObject: 13, PutObjectPart: 2, PutObject: 1, ListObjectsV2: 3 },
    receivedBytes: 2 ** 20,
    sentBytes: 2 ** 21,
  };
  const run = (requests: unknown) => verified("daft/taxi-report", { result: { requests } });

  it("is told by verb", () => {
    const byApi = { ...counts.byApi, CompleteMultipartUpload: 1, NewMultipartUpload: 1 };
    const { document } = render([run({ ...counts, byApi })]);
    expect(rowsOf(document, "Daft")).toContain("Daft 12 13 3 3 2 2.00 MiB 1.00 MiB");
  });

  it("is said not to be known where the store does not tell", () => {
    const { document, text } = render([run(undefined)]);
    expect(text).toContain("Not known: the store tells no counts");
    expect(words(document.body)).not.toContain("by the store's own counts");
  });
});

describe("runs over a shaped network", () => {
  const over = (name: string, network: string) => verified(name, { inputs: { network } });

  it("say how far away the store was", () => {
    expect(render([over("daft/taxi-report", "50ms")]).text).toContain(
      "each round trip took 50ms longer",
    );
    expect(render([over("daft/taxi-report", "none")]).text).not.toContain("shaped network");
  });

  it("are not compared with those over another one", () => {
    const runs = [over("daft/taxi-report", "10ms"), over("polars/taxi-report", "none")];
    expect(words(render(runs).document.body)).toContain(
      "Daft is not comparable with the reference: network 10ms, not none",
    );
  });
});

describe("a run that failed", () => {
  const reason = "the job did not end within 900 s and was ended";
  const runs = fullMatrix.map((name) =>
    name === "ray/taxi-report" ? failed(name, reason, "aaaabbbbccccdddd") : verified(name),
  );

  it("is a failure in every table and every chart of its workload", () => {
    const { document } = render(runs);
    const section = document.querySelector("#workload-1")!;
    const tables = [...section.querySelectorAll("table")].filter((table) =>
      [...table.querySelectorAll("tbody th")].some((head) => words(head) === "Spark"),
    );
    expect(tables.length).toBe(7);
    for (const table of tables) {
      const row = [...table.querySelectorAll("tbody tr")].find(
        (one) => words(one.querySelector("th")) === "Ray Data",
      );
      expect(words(row ?? null)).toContain(`✕ failed ${reason}`);
    }
    const pictures = [...section.querySelectorAll("svg")];
    expect(pictures.length).toBe(4);
    for (const svg of pictures) {
      expect(words(svg)).toContain("✕ failed: the job did not end");
      expect(words(svg.querySelector("desc"))).toContain("Ray Data: failed.");
    }
  });

  it("is told at the top, with its log and what is still published", () => {
    const { document } = render(runs);
    expect(words(document.querySelector(".lead"))).toContain("11 verified, 1 failed");
    const alert = words(document.querySelector(".alert"));
    expect(alert).toContain(`ray/taxi-report: ${reason}`);
    expect(alert).toContain("/state/local/logs/ray/taxi-report/attempt.log");
    expect(alert).toContain("aaaabbbbccccdddd");
  });

  it("has no time and no ratio", () => {
    const { document } = render(runs);
    expect(rowsOf(document.querySelector("#glance")!, "Ray Data")[0]).toMatch(
      /^Ray Data ✕ failed \d/,
    );
  });

  it("may be all of them", () => {
    const { document, text } = render(fullMatrix.map((name) => failed(name, "no memory")));
    expect(words(document.querySelector(".lead"))).toContain("12 runs, 0 verified, 12 failed");
    expect(document.querySelectorAll(".alert li").length).toBe(12);
    expect(text).not.toMatch(/\b(undefined|NaN|Infinity)/);
  });

  it("takes the ratios along where it is the reference", () => {
    const { document } = render([
      verified("spark/taxi-report"),
      failed("polars/taxi-report", "killed"),
    ]);
    expect(words(document.querySelector("section[id^=workload] .note"))).toBe(
      'The reference, Polars, came to "failed", so there is no ratio to it.',
    );
  });
});

describe("an outcome without a figure", () => {
  it.each([
    ["wrong", "✕ wrong", "1 wrong"],
    ["out of memory", "✕ out of memory", "1 out of memory"],
    ["timed out", "✕ timed out", "1 timed out"],
    ["not supported", "– not supported", "1 not supported"],
  ] as const)("is told as what it is: %s", (status, mark, counted) => {
    const { document } = render([
      failed("spark/taxi-report", "this is why", null, status),
      verified("polars/taxi-report"),
    ]);
    expect(words(document.querySelector(".lead"))).toContain(counted);
    const [glance, ...rows] = rowsOf(document, "Spark");
    expect(glance).toContain(mark);
    for (const row of rows.slice(0, 5)) expect(row).toContain(`${mark} this is why`);
    expect(document.querySelectorAll(".alert li").length).toBe(status === "not supported" ? 0 : 1);
  });
});

describe("a comparison without a reference", () => {
  it("says so in place of a ratio", () => {
    const { document } = render(seed.map((name) => verified(name)));
    const notes = [...document.querySelectorAll("section[id^=workload] .note")].map(words);
    expect(notes.length).toBe(3);
    for (const note of notes)
      expect(note).toContain("There is no run of a reference of this workload");
    expect(rowsOf(document, "Spark").some((row) => row.includes("no reference"))).toBe(true);
  });
});

describe("a run that was judged by a sample", () => {
  it("says so", () => {
    const { document } = render([
      verified("ray/image-predictions", { result: { sampled: 10_000 } }),
      verified("daft/image-predictions", { result: { sampled: null } }),
    ]);
    const judged = (name: string) => rowsOf(document, name).filter((row) => row.includes("✓"));
    expect(judged("Ray Data").join()).toContain("✓ verified by a sample of 10,000");
    expect(judged("Daft").join()).not.toContain("by a sample");
  });
});

describe("a verified run", () => {
  it("shows what its contender sets, and which answers differ from the oracle's", () => {
    const tunables = [
      {
        name: "filter",
        value: "after the scan",
        default: null,
        why: "faster",
        source: "docs/x.md",
      },
      { name: "blocks", value: 4, default: 200, why: "fewer tasks", source: "https://x.test/" },
    ];
    const disagreements = { "s3://images/7.jpg": "tabby, not lynx" };
    const { document } = render([
      verified("daft/image-predictions", { result: { tunables, disagreements } }),
    ]);
    expect(rowsIn(document)).toEqual(
      expect.arrayContaining([
        "filter after the scan none faster docs/x.md",
        "blocks 4 200 fewer tasks https://x.test/",
        "s3://images/7.jpg tabby, not lynx",
      ]),
    );
  });
});

describe("a run without an outcome", () => {
  it("is shown as such", () => {
    const { document } = render([notRun("spark/taxi-report"), verified("polars/taxi-report")]);
    expect(words(document.querySelector(".lead"))).toContain("1 verified, 1 without an outcome");
    expect(rowsOf(document, "Spark").length).toBeGreaterThanOrEqual(6);
    for (const row of rowsOf(document, "Spark")) expect(row).toContain("– no outcome");
  });
});

describe("results of different settings side by side", () => {
  it("have no ratio, and the reason is told", () => {
    const { document } = render([
      verified("spark/taxi-report", { inputs: { fareAbove: "40" } }),
      verified("polars/taxi-report"),
    ]);
    expect(rowsOf(document, "Spark")[1]).toContain("not comparable");
    expect(words(document.querySelector("section[id^=workload] .note"))).toBe(
      "Spark is not comparable with the reference: fareAbove 40, not 30.",
    );
  });

  it("have no ratio where they are of different hosts, and the page says it on top", () => {
    const host = { system: "Linux", cpu: "Another", cores: 64, memoryBytes: 2 ** 38 };
    const { document } = render([
      verified("spark/taxi-report", { result: { host } }),
      verified("polars/taxi-report"),
    ]);
    expect(words(document.querySelector(".facts"))).toContain("not comparable");
    expect(words(document.querySelector("section[id^=workload] .note"))).toContain("another host");
  });
});

describe("samples", () => {
  const sample = (kind: string, totalSeconds: number, othersCpuSeconds: number, fork = 1) => {
    const disturbed = othersCpuSeconds > 0.2 * totalSeconds;
    return { kind, fork, totalSeconds, cpuSeconds: 1, othersCpuSeconds, disturbed };
  };

  it("are all there, in the order taken, and marked where others used the machine", () => {
    const samples = [
      sample("first", 2, 0.1),
      sample("warm", 1.8, 0),
      sample("hot", 1.111, 0),
      sample("hot", 1.5, 2.4),
    ];
    const { document } = render([verified("daft/taxi-report", { result: { samples } })]);
    const rows = rowsIn(document.querySelector("figure")!);
    expect(rows).toEqual([
      "Daft 1, first 2.00 s 2.50 %",
      "Daft 2, warm 1.80 s 0 %",
      "Daft 3, hot 1.11 s 0 %",
      "Daft 4, hot 1.50 s 80 % !",
    ]);
    const dots = document.querySelectorAll("#workload-1 figure:first-of-type [aria-label=dot] > *");
    expect(dots.length).toBe(4);
    expect(words(document.querySelector("#method"))).toContain("1 of the 4 samples are marked");
    expect(words(document.querySelector("#glance .note"))).toContain("During 1 of the 2 samples");
  });

  it("that others disturbed do not count where three are left", () => {
    const hot = [1, 1.1, 1.2].map((seconds) => sample("hot", seconds, 0));
    const samples = [sample("first", 2, 0), ...hot, sample("hot", 9, 9)];
    const { document } = render([verified("daft/taxi-report", { result: { samples } })]);
    expect(words(document.querySelector("#workload-1 table td strong"))).toBe("1.10 s");
    expect(document.querySelector("#glance .note")).toBeNull();
  });

  it("tell their driver process where there are several, and whether they had come to rest", () => {
    const samples = [1, 2].flatMap((fork) => [
      sample("first", 2, 0, fork),
      ...[1, 1.1, 1.2].map((seconds) => sample("hot", seconds * fork, 0, fork)),
    ]);
    const state = { startUpSeconds: 1, state: "still warming", slope: -0.04 };
    const forks = [{ ...state, state: "steady", slope: 0 }, state];
    const { document } = render([verified("daft/taxi-report", { result: { samples, forks } })]);
    expect(rowsIn(document.querySelector("figure")!)[4]).toBe("Daft 5, first 2 2.00 s 0 %");
    expect(words(document.querySelector("#workload-1 table"))).toContain(
      "1.65 s still warming, -4 % a sample",
    );
  });

  it("say what an amount of work takes of a machine, in money where its price is known", () => {
    const prices = { machine: "two cores", cores: 2, memoryGiB: 8, pricePerHour: 3.6 };
    const run = verified("daft/taxi-report", {
      result: { samples: [sample("hot", 2, 0)], rowsIn: 500_000 },
    });
    const table = (more: object) => {
      const page = renderPage({ stack: "s", runs: [run], ...more });
      return words(parseHTML(page).document.querySelector("#workload-1 table"));
    };
    expect(table({ prices: { ...prices, currency: "EUR" } })).toContain(
      "EUR for a million trips on two cores",
    );
    expect(table({ prices: { ...prices, currency: "EUR" } })).toContain("2.000.00400");
    expect(table({})).not.toContain("EUR");
  });

  it.each([
    ["more cores", { limits: { cores: 4 } }],
    ["more memory", { peakMemoryBytes: 9 * 2 ** 30 }],
  ])("have no price of a machine where they need %s", (_what, result) => {
    const prices = { machine: "two cores", cores: 2, memoryGiB: 8, pricePerHour: 3.6 };
    const run = verified("daft/taxi-report", { result });
    const data = { stack: "s", runs: [run], prices: { ...prices, currency: "EUR" } };
    const { document } = parseHTML(renderPage(data));
    const [, , , , , , , cost] = document.querySelectorAll("#workload-1 tbody tr:first-child > *");
    expect(words(cost)).toBe("unknown");
  });

  it("say nothing of memory, CPU and money where only the driver was measured", () => {
    const result = { configuration: { memoryMeasure: "driver" } };
    const prices = { machine: "m", cores: 2, memoryGiB: 8, pricePerHour: 1, currency: "EUR" };
    const run = verified("spark/taxi-report", { result });
    const { document } = parseHTML(renderPage({ stack: "s", runs: [run], prices }));
    const [times] = rowsOf(document.querySelector("#workload-1")!, "Spark");
    expect(times).toMatch(/unknown unknown [\d.]+ % cpu$/);
    expect(rowsOf(document, "Spark")).toContain("Spark unknown unknown 6.00 GiB driver");
    expect(words(document.querySelector("#method"))).toContain("nobody measures");
  });

  it("are marked as the job says, which knows what its counters are worth", () => {
    const samples = [
      { kind: "hot", totalSeconds: 0.1, othersCpuSeconds: 0.09, disturbed: false },
      { kind: "hot", totalSeconds: 2, othersCpuSeconds: 0.4, disturbed: true },
    ];
    const { document } = render([verified("daft/taxi-report", { result: { samples } })]);
    expect(rowsIn(document.querySelector("figure")!)).toEqual([
      "Daft 1, hot 0.100 s 45 %",
      "Daft 2, hot 2.00 s 10 % !",
    ]);
  });

  it("may be a first one alone, which is said", () => {
    const only = verified("daft/taxi-report", { hot: 0 });
    const { document } = render([only]);
    expect(rowsOf(document, "Daft")[0]).toContain("first");
  });
});

describe("fields that an older result lacks", () => {
  it("are unknown, and nothing breaks", () => {
    const bare = Object.fromEntries(
      [
        "startUpSeconds",
        "rowsIn",
        "rejects",
        "bytesOut",
        "peakMemoryBytes",
        "idleMemoryBytes",
        "deviations",
        "agreement",
        "configuration",
        "versions",
        "host",
        "code",
      ].map((name) => [name, null]),
    );
    const { document, text } = render([
      { ...verified("daft/taxi-report", { result: bare }), inputs: undefined },
      verified("polars/taxi-report"),
    ]);
    expect(rowsOf(document, "Daft").some((row) => row.includes("unknown"))).toBe(true);
    expect(text).not.toMatch(/\b(undefined|NaN)/);
  });
});

describe("hostile text", () => {
  /** Every element with the names of its attributes: what the page is, whatever it says. */
  function skeleton(runs: readonly RunOutcome[]): string[] {
    const { document } = render(runs);
    return [...document.querySelectorAll("*")].map(
      (element) => `${element.tagName} ${element.getAttributeNames().join(" ")}`,
    );
  }

  function runsSaying(text: string): RunOutcome[] {
    const said = `x${text}`;
    const result = {
      attempt: said,
      checksum: said,
      outputUri: said,
      versions: { python: said },
      configuration: { memoryMeasure: said, setting: said },
      host: { cpu: said, system: said },
      code: { commit: said },
      rejects: [{ reason: said, count: 1 }],
      deviations: { labels: said },
      disagreements: { "s3://a/b.jpg": said },
      tunables: [{ name: said, value: said, default: said, why: said, source: said }],
    };
    return [
      verified("spark/taxi-report", { result, inputs: { resources: said } }),
      failed("ray/taxi-report", said, said),
      verified("polars/taxi-report"),
    ];
  }

  it("stays text, wherever it comes from", () => {
    const usual = skeleton(runsSaying("usual"));
    fc.assert(
      fc.property(hostile, (text) => {
        expect(skeleton(runsSaying(text))).toEqual(usual);
      }),
      { numRuns: 15 },
    );
  });

  it("stays text as the name of an engine or a workload", () => {
    const usual = skeleton([verified("usual/thing"), failed("usual2/thing", "r")]);
    fc.assert(
      fc.property(hostile, (text) => {
        const name = text.replaceAll("/", "").trim();
        const runs = [verified(`u${name}/w${name}`), failed(`v${name}/w${name}`, "r")];
        expect(skeleton(runs)).toEqual(usual);
      }),
      { numRuns: 15 },
    );
  });
});
