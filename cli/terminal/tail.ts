import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const block = 64 * 1024;
const pollEvery = 300;

/**
 * Prints the last lines of a file on stdout.
 *
 * @param follow go on as the file grows or is begun anew; only a signal ends that
 */
export async function tail(file: string, lines: number, follow: boolean): Promise<void> {
  let at = print(file, startOfLast(file, lines));
  while (follow) {
    await sleep(pollEvery);
    const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    at = print(file, size < at ? 0 : at);
  }
}

/** Prints from an offset to the end. @returns where the end is */
function print(file: string, from: number): number {
  if (!fs.existsSync(file)) return 0;
  const handle = fs.openSync(file, "r");
  try {
    const buffer = Buffer.alloc(block);
    for (let at = from; ;) {
      const read = fs.readSync(handle, buffer, 0, block, at);
      if (read === 0) return at;
      process.stdout.write(buffer.subarray(0, read));
      at += read;
    }
  } finally {
    fs.closeSync(handle);
  }
}

/** The offset where the last `lines` lines begin, found by reading backwards. */
export function startOfLast(file: string, lines: number): number {
  const handle = fs.openSync(file, "r");
  try {
    const { size } = fs.fstatSync(handle);
    const buffer = Buffer.alloc(block);
    let breaks = 0;
    for (let end = size; end > 0; end -= block) {
      const begin = Math.max(0, end - block);
      fs.readSync(handle, buffer, 0, end - begin, begin);
      for (let index = end - begin - 1; index >= 0; index--) {
        // The break that ends the file ends its last line and begins none.
        if (buffer[index] !== 10 || begin + index === size - 1) continue;
        if (++breaks === lines) return begin + index + 1;
      }
    }
    return lines === 0 ? size : 0;
  } finally {
    fs.closeSync(handle);
  }
}
