import { type Address, AF_INET, type Family, ipv4, ipv6 } from '../core/address.ts';
import type { Random } from './random.ts';

/** Who connects. */
export interface Population {
  readonly count: number;
  /** Exponent of Zipf's law: the i-th client is 1/i^zipf as busy as the first; 0 for all alike. */
  readonly zipf: number;
  /** Share of the clients that are behind address translation, and how many addresses these share. */
  readonly nat: { readonly share: number; readonly addresses: number };
}

/** 100.64.0.0, shared address space (RFC 6598); beyond 2^22 clients the addresses go on into what follows. */
const FIRST_V4 = 0x64400000;
/** 2001:db8:: (RFC 3849). */
const FIRST_V6 = 0x20010db8;
const FIRST_PORT = 1024;
const NO_PORT = -1;
const PORTS = 65536 - FIRST_PORT;

/** Clients with their addresses and ports, drawn by weight (Walker's alias method). */
export class Clients {
  readonly count: number;
  private readonly random: Random;
  private readonly addresses: Address[];
  private readonly addressOf: Int32Array;
  private readonly nextPort: Uint16Array;
  private readonly keep: Float64Array;
  private readonly alias: Int32Array;
  private fixedPort = NO_PORT;

  /** @param known addresses of the first clients, each its own, which no translation hides */
  constructor(population: Population, family: Family, random: Random, known: readonly Address[] = []) {
    const { count, zipf, nat } = population;
    this.count = count;
    this.random = random;
    const stride = nat.share === 0 ? 0 : 1 / nat.share;
    this.addressOf = new Int32Array(count);
    let shared = 0;
    let own = nat.share === 0 ? 0 : nat.addresses;
    for (let i = 0; i < count; i++) {
      // Every stride-th client, so that busy and quiet ones are translated alike.
      const isShared = stride > 0 && shared < Math.floor((i + 1) / stride);
      this.addressOf[i] = isShared ? shared++ % nat.addresses : own++;
    }
    this.addresses = Array.from({ length: own }, (_, i) => clientAddress(family, i));
    for (const [client, address] of known.entries()) {
      this.addressOf[client] = this.addresses.push(address) - 1;
      own++;
    }
    this.nextPort = new Uint16Array(own);
    this.keep = new Float64Array(count).fill(1);
    this.alias = Int32Array.from({ length: count }, (_, i) => i);
    if (zipf > 0) this.weigh(zipf);
  }

  /** @returns the number of a client */
  draw(): number {
    const ticket = this.random() * this.count;
    const at = Math.floor(ticket);
    return ticket - at < this.keep[at]! ? at : this.alias[at]!;
  }

  address(client: number): Address {
    return this.addresses[this.addressOf[client]!]!;
  }

  /** The next port of the client's address, in turn. */
  takePort(client: number): number {
    if (this.fixedPort !== NO_PORT) {
      const port = this.fixedPort;
      this.fixedPort = NO_PORT;
      return port;
    }
    const at = this.addressOf[client]!;
    const port = this.nextPort[at]!;
    this.nextPort[at] = port + 1 === PORTS ? 0 : port + 1;
    return FIRST_PORT + port;
  }

  /** Says which port is taken next, whoever takes it. */
  fixPort(port: number): void {
    this.fixedPort = port;
  }

  private weigh(zipf: number): void {
    const { count, keep, alias } = this;
    let total = 0;
    // Engines differ in the last bit of `**`, and agree on these.
    const weight = (i: number): number => Math.exp(-zipf * Math.log(i + 1));
    for (let i = 0; i < count; i++) total += weight(i);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < count; i++) {
      keep[i] = (weight(i) * count) / total;
      (keep[i]! < 1 ? small : large).push(i);
    }
    while (small.length > 0 && large.length > 0) {
      const lesser = small.pop()!;
      const greater = large.at(-1)!;
      alias[lesser] = greater;
      keep[greater]! -= 1 - keep[lesser]!;
      if (keep[greater]! < 1) small.push(large.pop()!);
    }
    // What is left differs from 1 by rounding only.
    for (const i of [...small, ...large]) keep[i] = 1;
  }
}

function clientAddress(family: Family, index: number): Address {
  if (family === AF_INET) return ipv4(FIRST_V4 + index);
  return ipv6(FIRST_V6, 0, 0, index);
}
