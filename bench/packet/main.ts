import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { lacksPackets } from '../../test/support/network-namespaces.ts';
import { isMissing } from '../../test/support/programs.ts';
import { type Figure, report } from '../figures.ts';
import { Bed } from './bed.ts';
import { LOAD_NAMES, LOADS, type LoadName } from './loads.ts';
import { MEASURE, MEASURE_AGAIN, nameOf, type Rival, rivals, type Variant } from './rivals.ts';

/*
 * A director of packets beside the kernel's own translation of addresses, plain routing and haproxy, in one run: every
 * round has all of them, in one order. Figures are medians of the rounds; ratios are medians of each round's ratio to
 * nft's translation in it. Client, servers and director share the machine's processors.
 */
const TIERS = ['sync', 'uring'] as const;
type Tier = (typeof TIERS)[number];

/** What each tier is to reach of nft's rate. */
const LEAST: Readonly<Record<Tier, Readonly<Record<LoadName, number>>>> = {
  sync: { udp: 0.45, cps: 0.65, rr: 0.65, bulk: 0.6 },
  uring: { udp: 0.75, cps: 0.8, rr: 0.8, bulk: 0.7 },
};
/** Processor time of the director for a datagram of the flood, µs: all of it, and outside of the kernel. */
const MOST: Readonly<Record<Tier, { readonly total: number; readonly user?: number }>> = {
  sync: { total: 10 },
  uring: { total: 5, user: 0.8 },
};
const SETTLE_MS = 300;
const WARM_SECONDS = 1;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    io: { type: 'string', default: TIERS.join(',') },
    capture: { type: 'string', default: 'auto' },
    loads: { type: 'string', default: LOAD_NAMES.join(',') },
  },
});
const tiers = TIERS.filter((tier) => values.io.split(',').includes(tier));
const variants: readonly Variant[] = tiers.flatMap((io) =>
  values.capture.split(',').map((capture) => ({ io, capture })),
);
const loads = LOAD_NAMES.filter((name) => values.loads.split(',').includes(name));

/** One measurement. */
interface Sample {
  readonly rival: string;
  readonly load: LoadName;
  readonly round: number;
  readonly rate: number;
  /** Processor time of the director per packet, µs. */
  readonly cost?: { readonly user: number; readonly system: number };
}

if (lacksPackets() || isMissing('nft', 'ethtool', 'haproxy', 'nginx', 'wrk', 'iperf3')) process.exit(1);
const samples: Sample[] = [];
const bed = await Bed.build();
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const rival of rivals(variants)) await measure(rival, round);
  }
} finally {
  await bed.remove();
}
process.exitCode = report([...variants.flatMap(ratios), ...variants.flatMap(costs), ...rates()]);

async function measure(rival: Rival, round: number): Promise<void> {
  const running = await rival.start(bed);
  try {
    if (loads[0]) await warmUp(rival, loads[0]);
    for (const load of loads) {
      if (rival.without?.includes(load)) continue;
      await sleep(SETTLE_MS);
      const before = await running.work?.();
      const rate = await LOADS[load].run(bed, rival.address, Number(values.seconds));
      const after = await running.work?.();
      const packets = before && after ? after.packets - before.packets : 0;
      const each = (from: number, to: number): number => (to - from) / packets;
      const cost =
        before && after
          ? { user: each(before.userUs, after.userUs), system: each(before.systemUs, after.systemUs) }
          : undefined;
      samples.push({ rival: rival.name, load, round, rate, ...(cost && { cost }) });
    }
  } finally {
    await running.stop();
  }
}

/** What is compiled, and what is learned of neighbours, is not measured. */
async function warmUp(rival: Rival, load: LoadName): Promise<void> {
  if (!rival.without?.includes(load)) await LOADS[load].run(bed, rival.address, WARM_SECONDS);
}

function ratios(variant: Variant): Figure[] {
  return loads.map((load) => {
    const each = ratesOf(nameOf(variant), load).map((rate, round) => rate / nftIn(load, round));
    const atLeast = LEAST[variant.io][load];
    return {
      what: `${nameOf(variant)} against nft DNAT: ${LOADS[load].what}`,
      value: median(each),
      unit: 'x',
      atLeast,
    };
  });
}

/** Of a datagram under flood; in the other loads packets are of many sizes. */
function costs(variant: Variant): Figure[] {
  const all = samples.flatMap(({ rival, load, cost }) =>
    cost && load === 'udp' && rival === nameOf(variant) ? [cost] : [],
  );
  if (all.length === 0) return [];
  const user = median(all.map((cost) => cost.user));
  const system = median(all.map((cost) => cost.system));
  const { total: limit, user: userLimit } = MOST[variant.io];
  const name = `${nameOf(variant)}: processor time per datagram`;
  return [
    { what: name, value: user + system, unit: 'us', limit },
    {
      what: `${name}, outside of the kernel`,
      value: user,
      unit: 'us',
      ...(userLimit && { limit: userLimit }),
    },
  ];
}

function rates(): Figure[] {
  return loads.flatMap((load) => {
    const { what, unit } = LOADS[load];
    const noise = ratesOf(MEASURE_AGAIN, load).map((rate, i) => rate / ratesOf(MEASURE, load)[i]!);
    const scatter = {
      what: `nft again against nft, from ${Math.min(...noise).toFixed(2)}: ${what}`,
      value: Math.max(...noise),
      unit: 'x',
    };
    const each = rivals(variants)
      .filter((rival) => !rival.without?.includes(load))
      .map(({ name }) => ({ what: `${name}: ${what}`, value: median(ratesOf(name, load)), unit }));
    return [...each, scatter];
  });
}

/** The mean of the round's two. */
function nftIn(load: LoadName, round: number): number {
  return (ratesOf(MEASURE, load)[round]! + ratesOf(MEASURE_AGAIN, load)[round]!) / 2;
}

/** By round. */
function ratesOf(rival: string, load: LoadName): number[] {
  return samples.filter((sample) => sample.rival === rival && sample.load === load).map(({ rate }) => rate);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
