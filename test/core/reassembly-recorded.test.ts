import { describe, expect, test } from 'vitest';
import { REASSEMBLY } from '../../src/core/reassembly.ts';
import { IPV4_FRAGMENT, parseIpv4 } from '../../src/core/wire/ipv4.ts';
import { payloadBytes as bytes, ReassemblyLab as Lab } from './reassembly-lab.ts';

const { WHOLE, KEPT, DROPPED } = REASSEMBLY;
const VERSIONS = [4, 6] as const;

/** What a kernel made of the same fragments: `[start, bytes, more?]`. */
const RECORDED: readonly {
  readonly what: string;
  readonly pieces: readonly (readonly [number, number, boolean])[];
  readonly whole4: boolean;
  readonly whole6: boolean;
}[] = [
  {
    what: 'in order',
    pieces: [
      [0, 16, true],
      [16, 16, true],
      [32, 10, false],
    ],
    whole4: true,
    whole6: true,
  },
  {
    what: 'reversed',
    pieces: [
      [32, 10, false],
      [16, 16, true],
      [0, 16, true],
    ],
    whole4: true,
    whole6: true,
  },
  {
    what: 'one twice',
    pieces: [
      [0, 16, true],
      [16, 16, true],
      [16, 16, true],
      [32, 10, false],
    ],
    whole4: true,
    whole6: true,
  },
  {
    what: 'the last twice',
    pieces: [
      [32, 10, false],
      [32, 10, false],
      [0, 16, true],
      [16, 16, true],
    ],
    whole4: true,
    whole6: true,
  },
  {
    what: 'one within two that came one after the other',
    pieces: [
      [0, 16, true],
      [16, 16, true],
      [8, 16, true],
      [32, 10, false],
    ],
    whole4: true,
    whole6: true,
  },
  {
    what: 'one within two that came apart',
    pieces: [
      [0, 16, true],
      [32, 16, true],
      [16, 16, true],
      [8, 16, true],
      [48, 10, false],
    ],
    whole4: false,
    whole6: false,
  },
  {
    what: 'an overlap at the end',
    pieces: [
      [0, 16, true],
      [8, 16, true],
      [16, 16, true],
      [32, 10, false],
    ],
    whole4: false,
    whole6: false,
  },
  {
    what: 'one around another',
    pieces: [
      [8, 8, true],
      [0, 32, true],
      [32, 10, false],
    ],
    whole4: false,
    whole6: false,
  },
  {
    what: 'a length that is no multiple of 8, cut to one',
    pieces: [
      [0, 20, true],
      [16, 16, true],
      [32, 10, false],
    ],
    whole4: true,
    whole6: false,
  },
  {
    what: 'less than 8 bytes, then all',
    pieces: [
      [0, 4, true],
      [0, 16, true],
      [16, 16, true],
      [32, 10, false],
    ],
    whole4: true,
    whole6: true,
  },
  {
    what: 'an end that is passed already',
    pieces: [
      [0, 32, true],
      [16, 8, false],
      [32, 10, false],
    ],
    whole4: false,
    whole6: true,
  },
  {
    what: 'two ends',
    pieces: [
      [32, 10, false],
      [32, 12, false],
      [0, 16, true],
      [16, 16, true],
    ],
    whole4: false,
    whole6: true,
  },
  {
    what: 'more behind the end',
    pieces: [
      [32, 10, false],
      [40, 16, true],
      [0, 16, true],
      [16, 16, true],
    ],
    whole4: false,
    whole6: true,
  },
  {
    what: 'no payload',
    pieces: [
      [0, 16, true],
      [16, 0, true],
      [16, 16, true],
      [32, 10, false],
    ],
    whole4: false,
    whole6: true,
  },
  {
    what: 'the end behind byte 65535',
    pieces: [
      [0, 16, true],
      [65528, 16, false],
      [16, 16, true],
      [32, 10, false],
    ],
    whole4: false,
    whole6: true,
  },
  {
    what: 'a transport header in two',
    pieces: [
      [0, 8, true],
      [8, 34, false],
    ],
    whole4: true,
    whole6: true,
  },
];

describe('a kernel and this one agree whether the packet becomes whole', () => {
  test.each(RECORDED)('$what', ({ pieces, whole4, whole6 }) => {
    for (const [version, isWhole] of [
      [4, whole4],
      [6, whole6],
    ] as const) {
      const { accept } = new Lab();
      const answers = pieces.map(([start, length, isMore]) =>
        accept({ version, start, payload: bytes(length, start), isMore }),
      );
      expect(answers.includes(WHOLE)).toBe(isWhole);
    }
  });

  // The largest fragment's DF is the packet's; marks are merged (RFC 3168 section 5.3).
  test.each([
    { what: 'DF in all', df: [true, true, true], isDf: true },
    { what: 'DF in the smallest', df: [false, false, true], isDf: false },
    { what: 'DF in one of the largest', df: [true, false, false], isDf: true },
  ])('$what: $isDf', ({ df, isDf }) => {
    const lab = new Lab();
    for (const [i, hasDf] of df.entries())
      lab.accept({ version: 4, start: i * 16, payload: bytes(i < 2 ? 16 : 10), isMore: i < 2, hasDf });
    const header = parseIpv4(lab.whole(), 0)!;
    expect(header.fragment).toBe(isDf ? IPV4_FRAGMENT.DF : 0);
    expect(lab.reassembler.maxFragmentBytes).toBe(36);
  });

  test.each([
    { ecn: [0, 0], becomes: 0 },
    { ecn: [1, 1], becomes: 1 },
    { ecn: [1, 2], becomes: 1 },
    { ecn: [2, 1], becomes: 2 },
    { ecn: [2, 3], becomes: 3 },
    { ecn: [3, 3], becomes: 3 },
    { ecn: [0, 3], becomes: undefined },
    { ecn: [2, 0], becomes: undefined },
  ])('marks $ecn become $becomes', ({ ecn, becomes }) => {
    for (const version of VERSIONS) {
      const lab = new Lab();
      const answers = ecn.map((each, i) =>
        lab.accept({ version, start: i * 8, payload: bytes(8), isMore: i === 0, ecn: each }),
      );
      expect(answers).toEqual([KEPT, becomes === undefined ? DROPPED : WHOLE]);
      if (becomes === undefined) expect(lab.reassembler.drops().mixed_ecn).toBe(1);
      else expect((lab.whole()[1]! >> (version === 4 ? 0 : 4)) & 3).toBe(becomes);
    }
  });
});
