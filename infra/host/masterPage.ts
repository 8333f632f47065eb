/** What a Spark master says at `/json/`, as far as it is read here. Memory is in MiB. */
export interface MasterPage {
  readonly url: string;
  readonly status: string;
  readonly workers: readonly {
    readonly state: string;
    readonly cores: number;
    readonly memory: number;
  }[];
  readonly activeapps: readonly {
    readonly name: string;
    readonly state: string;
    /** Milliseconds of the epoch. */
    readonly starttime: number;
    readonly cores: number;
    readonly memoryperexecutor?: number;
    readonly memoryperslave?: number;
  }[];
}

/** What was found where a master's page should be. */
export interface MasterSeen {
  readonly url: string;
  readonly page?: MasterPage;
  /** Why there is no page. */
  readonly silent?: string;
  /** As the page in HTML shows it. */
  readonly version?: string;
}

/** @param url of the page, such as `http://127.0.0.1:8080` */
export async function askMaster(url: string): Promise<MasterSeen> {
  const get = (path: string) => fetch(new URL(path, url), { signal: AbortSignal.timeout(5_000) });
  try {
    const [page, html] = await Promise.all([get("/json/"), get("/")]);
    return {
      url,
      page: (await page.json()) as MasterPage,
      version: parseSparkVersion(await html.text()),
    };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return { url, silent: cause?.code ?? message };
  }
}

/** The workers of a page that take executors. */
export function aliveWorkers({ workers }: Pick<MasterPage, "workers">): MasterPage["workers"] {
  return workers.filter(({ state }) => state === "ALIVE");
}

/** Reads the version out of the head of a page of Spark's. */
export function parseSparkVersion(html: string): string | undefined {
  return /class="version"[^>]*>\s*([\w.-]+)\s*</.exec(html)?.[1];
}
