/** Three significant digits, with thousands apart: `0.123`, `2.19`, `17.4`, `1,240`, `3.1e-16`. */
export function number(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) < 1e-3) return value.toExponential(1);
  const digits = { minimumSignificantDigits: 3, maximumSignificantDigits: 3 };
  return value.toLocaleString("en-US", digits);
}

/** A round value on an axis, without noughts behind the point: `0.5`, `10`. */
export function tick(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}

export function seconds(value: number): string {
  return `${number(value)} s`;
}

/** A whole number with thousands apart. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Binary units, as the settings have them. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(4, Math.floor(Math.log2(value) / 10));
  return power === 0 ? `${count(value)} B` : `${number(value / 2 ** (10 * power))} ${units[power]}`;
}

/** A figure as `written`, or what is said where there is none. */
export function known(
  value: number | undefined,
  written: (value: number) => string,
  otherwise = "unknown",
): string {
  return value === undefined ? otherwise : written(value);
}

/** `18.3×` */
export function times(value: number): string {
  return `${number(value)}×`;
}

/** `98.5 %`, `10 %` */
export function percent(value: number): string {
  return `${number(100 * value).replace(/\.0+$/, "")} %`;
}

/** `2026-11-22 21:53 UTC`, or the text itself where it is no date. */
export function moment(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** The first letters of a text that is too long for its place. */
export function shortened(text: string, length: number): string {
  const letters = [...text];
  return letters.length <= length ? text : `${letters.slice(0, length - 1).join("")}…`;
}

/** `1 run`, `2 runs` */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
