import { describe, expect, test } from 'vitest';
import { PROTOCOL, type ServiceConfig } from '../../src/core/config.ts';
import type { Director } from '../../src/core/director.ts';
import { destConfig, flowTo, makeDirector, serverOf, serviceConfig } from '../support/core.ts';

/**
 * Sequences recorded from a real kernel (Linux 6.1.176): `add 2:3` adds server 2 with weight 3, `weight 2:0` edits it,
 * `del 2` deletes it; digits are the servers that new flows of distinct client ports then went to, `-` none.
 */
const SEQUENCES: readonly { scheduler: string; protocol: number; steps: string }[] = [
  {
    scheduler: 'rr',
    protocol: PROTOCOL.UDP,
    steps: 'add 1:1 add 2:1 add 3:1 3213213 del 2 13131 add 4:1 4314314 weight 1:0 34343',
  },
  { scheduler: 'wrr', protocol: PROTOCOL.UDP, steps: 'add 1:1 add 2:2 add 3:3 32133232133232' },
  {
    scheduler: 'wrr',
    protocol: PROTOCOL.UDP,
    steps:
      'add 1:4 add 2:8 add 3:2 3212221321222132 weight 1:6 321221213212212132 add 4:3 4321222121214214321432 del 2 43111141431431 weight 3:0 4114114114',
  },
  {
    scheduler: 'wrr',
    protocol: PROTOCOL.UDP,
    steps: 'add 1:3 add 2:5 2122212121222121212221212122212121222121',
  },
  {
    scheduler: 'wrr',
    protocol: PROTOCOL.UDP,
    steps: 'add 1:10 add 2:20 2122 weight 2:0 111 weight 2:40 2122221222212',
  },
  { scheduler: 'lc', protocol: PROTOCOL.UDP, steps: 'add 1:1 add 2:2 add 3:3 32132132132132' },
  { scheduler: 'lc', protocol: PROTOCOL.TCP, steps: 'add 1:1 add 2:2 add 3:3 3213213213213213' },
  { scheduler: 'wlc', protocol: PROTOCOL.UDP, steps: 'add 1:1 add 2:2 add 3:3 32132332132332' },
  { scheduler: 'wlc', protocol: PROTOCOL.TCP, steps: 'add 1:1 add 2:2 add 3:3 3213233213233213' },
  { scheduler: 'wlc', protocol: PROTOCOL.UDP, steps: 'add 1:1 add 2:1 add 3:1 3213213' },
  { scheduler: 'wlc', protocol: PROTOCOL.UDP, steps: 'add 1:0 add 2:1 add 3:0 2222' },
  { scheduler: 'sed', protocol: PROTOCOL.TCP, steps: 'add 1:1 add 2:2 add 3:3 3233213233213233' },
  { scheduler: 'sed', protocol: PROTOCOL.UDP, steps: 'add 1:1 add 2:2 add 3:3 33333333' },
  { scheduler: 'nq', protocol: PROTOCOL.TCP, steps: 'add 1:1 add 2:2 add 3:3 3213323233213233' },
  { scheduler: 'nq', protocol: PROTOCOL.UDP, steps: 'add 1:1 add 2:2 add 3:3 33333333' },
  { scheduler: 'ovf', protocol: PROTOCOL.TCP, steps: 'add 1:1 add 2:2 add 3:3 333322211-------' },
  { scheduler: 'ovf', protocol: PROTOCOL.UDP, steps: 'add 1:1 add 2:2 add 3:3 33333333' },
];

describe('new connections go to the servers that a kernel chose', () => {
  test.each(SEQUENCES)('$scheduler, protocol $protocol: $steps', ({ scheduler, protocol, steps }) => {
    const words = steps.split(' ');
    expect(replay(scheduler, protocol, words)).toEqual(steps);
  });
});

/** Plays the steps; the digits come from the director. */
function replay(scheduler: string, protocol: number, words: readonly string[]): string {
  const director = makeDirector();
  const service = serviceConfig({ scheduler, protocol });
  director.apply({ op: 'add-service', service, flagsMask: 0xffffffff }, 0);
  const played: string[] = [];
  let cport = 20_000;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (/^[\d-]+$/.test(word)) {
      played.push(Array.from(word, () => choose(director, service, cport++)).join(''));
    } else {
      configure(director, service, word, words[++i]!);
      played.push(word, words[i]!);
    }
  }
  return played.join(' ');
}

function configure(director: Director, service: ServiceConfig, what: string, argument: string): void {
  const [server, weight] = argument.split(':').map(Number) as [number, number];
  const dest = destConfig(server, { weight: weight ?? 1 });
  const op = ({ add: 'add-dest', weight: 'edit-dest', del: 'delete-dest' } as const)[what];
  if (!op) throw new Error(`unknown step ${what}`);
  director.apply({ op, service, dest }, 0);
}

function choose(director: Director, service: ServiceConfig, cport: number): string {
  const id = director.open(flowTo(service, cport), 1, 60, 0);
  return id < 0 ? '-' : String(serverOf(director, id));
}
