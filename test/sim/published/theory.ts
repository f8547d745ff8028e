/** Fixed point of a contraction, by iteration. */
function fixedPoint(step: (x: number) => number): number {
  let x = 0.5;
  for (let i = 0; i < 200; i++) x = step(x);
  return x;
}

/** Mean time in system of M/M/1, service time 1. */
export const mm1 = (rho: number): number => 1 / (1 - rho);

/** The 99 % quantile of the same: it is exponential. */
export const mm1P99 = (rho: number): number => Math.log(100) / (1 - rho);

/** Mean time in system of M/M/c, service time 1, offered load a = rho c (Erlang's C formula). */
export function erlangC(servers: number, rho: number): number {
  const load = rho * servers;
  let term = 1;
  let sum = 0;
  for (let k = 0; k < servers; k++) {
    sum += term;
    term *= load / (k + 1);
  }
  const waits = term / (1 - rho) / (sum + term / (1 - rho));
  return 1 + waits / (servers * (1 - rho));
}

/** Mean time in system of D/M/1, service time 1. */
export const dm1 = (rho: number): number => 1 / (1 - fixedPoint((x) => Math.exp(-(1 - x) / rho)));

/** Mean time in system of the supermarket model with d choices and endlessly many servers. */
export function supermarket(rho: number, choices: number): number {
  let sum = 0;
  for (let i = 1; i < 50; i++) sum += rho ** ((choices ** i - choices) / (choices - 1));
  return sum;
}
