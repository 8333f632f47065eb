import * as fs from "node:fs";
import * as path from "node:path";
import * as z from "zod";
import { UserError } from "../infra/contracts/errors";
import { checkout } from "../infra/host/folders";
import type { Verified } from "./outcome";
import { median } from "./statistics";

const prices = z.strictObject({
  machine: z.string().min(1),
  cores: z.number().positive(),
  memoryGiB: z.number().positive(),
  pricePerHour: z.number().nonnegative(),
  currency: z.string().min(1),
});

/** What a machine costs: the file that setting `prices` names. */
export type Prices = Readonly<z.output<typeof prices>>;

/**
 * Reads the file of setting `prices`.
 *
 * @throws UserError where it cannot be read, or is not as docs/prices.example.json
 */
export function readPrices(file: string | undefined): Prices | undefined {
  if (file === undefined) return undefined;
  const found = path.resolve(checkout, file);
  const fix = "write it as docs/prices.example.json, or unset prices";
  try {
    return prices.parse(JSON.parse(fs.readFileSync(found, "utf8")));
  } catch (error) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    const why = issue ? `${issue.path.join(".")}: ${issue.message}` : (error as Error).message;
    throw new UserError(
      `prices names ${found}, which is not right: ${why}`,
      "no cost is known",
      fix,
    );
  }
}

/** What a run takes of a machine for an amount of work. @param amount rows or images, such as a million */
export function efficiencyOf(run: Verified, amount: number, prices?: Prices) {
  const share = run.rowsIn ? amount / run.rowsIn : undefined;
  const cpu = run.counted.flatMap(({ cpuSeconds }) => cpuSeconds ?? []);
  return {
    /** Seconds that one core computes. */
    coreSeconds: share && cpu.length > 0 ? median(cpu) * share : undefined,
    /** In the prices' currency, of the whole machine for that long; undefined where the run is too large for it. */
    money:
      share && prices && fits(run, prices)
        ? (run.median / 3600) * prices.pricePerHour * share
        : undefined,
  };
}

/** Whether a run would have had its cores and its memory on a machine. Of clusters nobody knows. */
function fits({ cores = Infinity, peakMemory = Infinity }: Verified, prices: Prices): boolean {
  return cores <= prices.cores && peakMemory <= prices.memoryGiB * 2 ** 30;
}
