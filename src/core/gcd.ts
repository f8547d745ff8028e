/** The greatest common divisor of two integers >= 0; that of 0 and n is n. */
export const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
