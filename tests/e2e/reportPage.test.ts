import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { RunOutcome } from "../../results/outcome";
import { renderPage } from "../../report/page";
import { failed, fullMatrix, notRun, twoHundred, verified } from "../unit/report/synthetic";
import { hasBrowser, openBrowser, withoutBrowser } from "./browser";
import { lowContrasts } from "./contrast";

/** A browser takes seconds on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });

const reasons = "The Ray cluster has 1 CPUs and 0 GPUs, and the run asks for 2 and 0.";
const mixed = fullMatrix.map((run) => {
  if (run === "ray/image-predictions") return failed(run, reasons, "aaaabbbbccccdddd");
  if (run === "spark/image-embeddings") return notRun(run);
  return verified(run, { hot: run.endsWith("taxi-report") ? 12 : 3 });
});

describe.skipIf(!hasBrowser)(`the report in a browser${withoutBrowser}`, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "report-page-"));
  let browser: Browser;

  beforeAll(async () => {
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    fs.rmSync(folder, { recursive: true });
  });

  /** Opens the page of `runs` and hands it to `look`, with all that it asked for and complained of. */
  async function open(
    runs: readonly RunOutcome[],
    options: BrowserContextOptions,
    look: (page: Page, seen: { requests: string[]; errors: string[] }) => Promise<void>,
  ): Promise<void> {
    const file = path.join(folder, "index.html");
    fs.writeFileSync(file, renderPage({ stack: "local", runs }));
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      const seen: { requests: string[]; errors: string[] } = { requests: [], errors: [] };
      page.on("request", (request) => seen.requests.push(request.url()));
      page.on("pageerror", (error) => seen.errors.push(String(error)));
      page.on("console", (message) => seen.errors.push(message.text()));
      page.on("dialog", (dialog) => {
        seen.errors.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
      await look(page, seen);
    } finally {
      await context.close();
    }
  }

  const phone = { viewport: { width: 390, height: 844 }, isMobile: true };

  it("shows every run, asks for nothing and complains of nothing", async () => {
    await open(mixed, {}, async (page, { requests, errors }) => {
      const rows = await page.locator("#glance tbody tr").allInnerTexts();
      expect(rows.map((row) => row.split(/\s/)[0])).toEqual([
        "Spark",
        "Ray",
        "Daft",
        "Polars",
        "Plain",
      ]);
      const cells = await page.locator("#glance tbody td").allInnerTexts();
      expect(cells.length).toBe(15);
      expect(cells.filter((cell) => cell === "does not do it").length).toBe(3);
      expect(cells.filter((cell) => /^[\d.]+ s/.test(cell)).length).toBe(10);
      expect(cells.filter((cell) => cell === "✕ failed").length).toBe(1);
      expect(cells.filter((cell) => cell === "– no outcome").length).toBe(1);
      expect(await page.locator(".alert").innerText()).toContain(reasons);
      expect(await page.locator("figure svg").count()).toBe(12);
      for (const svg of await page.locator("figure svg").all()) {
        const box = await svg.boundingBox();
        expect(box!.width).toBeGreaterThan(300);
        expect(box!.height).toBeGreaterThan(100);
      }
      expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([page.url()]);
      expect(errors).toEqual([]);
    });
  });

  it("has its figures as images with a name, and headings in order", async () => {
    await open(mixed, {}, async (page) => {
      const images = page.getByRole("img");
      expect(await images.count()).toBe(12);
      expect(await page.getByRole("img", { name: "Every sample" }).count()).toBe(3);
      const levels = await page
        .locator("h1, h2, h3, h4, h5, h6")
        .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])));
      expect(levels.filter((level) => level === 1).length).toBe(1);
      expect(levels[0]).toBe(1);
      for (const [at, level] of levels.slice(1).entries()) {
        expect(level - levels[at]).toBeLessThanOrEqual(1);
      }
      const ids = await page.locator("[id]").evaluateAll((all) => all.map((element) => element.id));
      expect(new Set(ids).size).toBe(ids.length);
      const referred = await page
        .locator("[aria-labelledby], [aria-describedby]")
        .evaluateAll((all) =>
          all.flatMap((element) =>
            ["aria-labelledby", "aria-describedby"].flatMap(
              (name) => element.getAttribute(name)?.split(" ") ?? [],
            ),
          ),
        );
      expect(referred.filter((id) => !ids.includes(id))).toEqual([]);
      expect(await page.getByRole("main").count()).toBe(1);
      expect(await page.getByRole("navigation").count()).toBe(1);
      expect(await page.locator("html").getAttribute("lang")).toBe("en");
    });
  });

  it.each(["light", "dark"] as const)("has readable contrast in %s", async (colorScheme) => {
    await open(mixed, { colorScheme }, async (page) => {
      await page.locator("details").evaluateAll((all) => {
        for (const one of all) (one as HTMLDetailsElement).open = true;
      });
      expect(await page.evaluate(lowContrasts)).toEqual([]);
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const [red] = /\d+/.exec(paper)!;
      if (colorScheme === "dark") expect(Number(red)).toBeLessThan(60);
      else expect(Number(red)).toBeGreaterThan(200);
    });
  });

  it("fits a phone: tables scroll in their own frames, the page does not", async () => {
    await open(mixed, phone, async (page) => {
      await page.locator("details").evaluateAll((all) => {
        for (const one of all) (one as HTMLDetailsElement).open = true;
      });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(390);
      const frames = await page
        .locator(".scroll")
        .evaluateAll((all) => all.map((one) => [one.scrollWidth > one.clientWidth, one.tagName]));
      expect(frames.filter(([scrolls]) => scrolls).length).toBeGreaterThan(0);
    });
  });

  it("can be used by the keyboard", async () => {
    await open(mixed, {}, async (page) => {
      await page.keyboard.press("Tab");
      const focused = () =>
        page.evaluate(() => {
          const element = document.activeElement as HTMLElement;
          const { outlineStyle, outlineWidth } = getComputedStyle(element);
          const { top } = element.getBoundingClientRect();
          return { text: element.innerText, seen: outlineStyle !== "none", outlineWidth, top };
        });
      const skip = await focused();
      expect(skip).toMatchObject({ text: "Skip to the results", seen: true, outlineWidth: "3px" });
      expect(skip.top).toBeGreaterThanOrEqual(0);
      await page.keyboard.press("Enter");
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
      const summary = page.locator("summary").first();
      await summary.focus();
      expect((await focused()).seen).toBe(true);
      await page.keyboard.press("Enter");
      expect(await summary.locator("..").getAttribute("open")).not.toBeNull();
      const frames = page.locator(".scroll");
      expect(await frames.count()).toBe(
        await page.locator(".scroll[tabindex='0'][aria-label]").count(),
      );
    });
  });

  it("shows hostile text as text", async () => {
    const attack = `"><script>alert(1)</script><img src="https://example.invalid/x" onerror=alert(2)>`;
    const runs = [
      verified(`daft${attack.replaceAll("/", "")}/taxi-report`, {
        result: { versions: { [attack]: attack }, host: { cpu: attack }, attempt: attack },
      }),
      failed("ray/taxi-report", attack),
    ];
    await open(runs, {}, async (page, { requests, errors }) => {
      expect(await page.locator("script, img, iframe").count()).toBe(0);
      expect(await page.locator(".alert").innerText()).toContain(attack);
      expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([page.url()]);
      expect(errors).toEqual([]);
    });
  });

  it("shows 200 results", async () => {
    await open(twoHundred, {}, async (page, { errors }) => {
      expect(await page.locator("#glance tbody td").count()).toBe(200);
      expect(errors).toEqual([]);
    });
  });
});
