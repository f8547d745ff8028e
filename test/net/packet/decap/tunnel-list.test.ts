import { expect, test } from 'vitest';
import { kernelTunnels } from '../../../../src/net/packet/decap/kernel-tunnels.ts';
import { describeTunnel, parseTunnels } from '../../../../src/net/packet/decap/tunnel-list.ts';

test.each([
  ['ipip', ['ipip']],
  ['gre,ipip', ['gre', 'ipip']],
  ['gue', ['gue:6080']],
  ['gue:7000,gue', ['gue:7000', 'gue:6080']],
])('--tunnel %s is understood', (text, names) => {
  expect(parseTunnels(text).map(describeTunnel)).toEqual(names);
});

test.each([
  ['', "wants ipip, gue, gue:PORT or gre, joined by commas, not ''"],
  ['ipip,', "wants ipip, gue, gue:PORT or gre, joined by commas, not ''"],
  ['sit', "wants ipip, gue, gue:PORT or gre, joined by commas, not 'sit'"],
  ['ipip:4', "wants ipip, gue, gue:PORT or gre, joined by commas, not 'ipip:4'"],
  ['gue:0', "wants ipip, gue, gue:PORT or gre, joined by commas, not 'gue:0'"],
  ['gue:65536', "wants ipip, gue, gue:PORT or gre, joined by commas, not 'gue:65536'"],
  ['gre,ipip,gre', 'has gre twice'],
  ['gue,gue:6080', 'has gue:6080 twice'],
])('--tunnel %j is refused: %s', (text, message) => {
  expect(() => parseTunnels(text)).toThrow(new RangeError(message));
});

test('the devices of the kernel’s own tunnels are found, those of other kinds are not', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs',
    '    lo:    1234      10    0    0    0     0          0         0     1234      10    0',
    ' tunl0:       0       0    0    0    0     0          0         0        0       0    0',
    '  gre0:       0       0    0    0    0     0          0         0        0       0    0',
    'xtunl0:       0       0    0    0    0     0          0         0        0       0    0',
  ].join('\n');
  expect(kernelTunnels(parseTunnels('ipip,gue'), text)).toEqual(['tunl0']);
  expect(kernelTunnels(parseTunnels('gre'), text)).toEqual(['gre0']);
  expect(kernelTunnels(parseTunnels('gue'), text)).toEqual([]);
});
