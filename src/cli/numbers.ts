/** Whole decimal numbers as strtol(3) reads them in base 10: blanks before, a sign, then digits and nothing else. */
const DECIMAL = /^[ \t\n\v\f\r]*([+-]?\d+)$/;

/** Decimal number at the start of a text; whatever follows is ignored. */
const LEADING_DECIMAL = /^[ \t\n\v\f\r]*([+-]?\d+)/;

const LONG_MAX = 2n ** 63n - 1n;

/** @returns the number, or `undefined` if the text is not one or not in min..max. */
export function parseDecimal(text: string, min: number, max: number): number | undefined {
  const digits = DECIMAL.exec(text)?.[1];
  if (digits === undefined) return undefined;
  const value = Number(digits);
  return value >= min && value <= max ? value + 0 : undefined;
}

/** Reads an int as atoi(3) does on a 64-bit system: 0 if there is no digit, else cut to 32 bits. */
export function parseLeadingInt(text: string): number {
  const value = BigInt(LEADING_DECIMAL.exec(text)?.[1]?.replace('+', '') ?? '0');
  const clamped = value > LONG_MAX ? LONG_MAX : value < -LONG_MAX - 1n ? -LONG_MAX - 1n : value;
  return Number(BigInt.asIntN(32, clamped));
}
