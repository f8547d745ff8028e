import { expect, test } from 'vitest';
import { DEFAULT_TRACE_BYTES, parseTraceOption } from '../../../../src/net/packet/trace/option.ts';

const MIB = 2 ** 20;

test.each([
  ['/tmp/a.pcapng', { path: '/tmp/a.pcapng', maxBytes: DEFAULT_TRACE_BYTES, filter: undefined }],
  ['a,max=64M', { path: 'a', maxBytes: 64 * MIB, filter: undefined }],
  ['a,host 10.0.0.1 and tcp,max=2G', { path: 'a', maxBytes: 2048 * MIB, filter: 'host 10.0.0.1 and tcp' }],
  ['a,max=1048576,udp', { path: 'a', maxBytes: MIB, filter: 'udp' }],
  ['a,max=2000k', { path: 'a', maxBytes: 2000 * 1024, filter: undefined }],
])('--pcap %s is understood', (text, options) => {
  expect(parseTraceOption(text)).toEqual(options);
});

test.each([
  ['', "wants FILE[,max=SIZE][,FILTER], not ''"],
  [',tcp', "wants FILE[,max=SIZE][,FILTER], not ',tcp'"],
  ['a,tcp,udp', 'has more than one filter'],
  ['a,max=1M,max=2M', 'has more than one max='],
  ['a,max=', "max= wants a size of 1M or more, such as 64M or 2G, not ''"],
  ['a,max=1000', "max= wants a size of 1M or more, such as 64M or 2G, not '1000'"],
  ['a,max=9T', "max= wants a size of 1M or more, such as 64M or 2G, not '9T'"],
  ['a,tpc', "a filter wants host ADDRESS, port NUMBER, tcp, udp, sctp, icmp or icmp6, not 'tpc'"],
  ['a,', 'a filter wants host ADDRESS, port NUMBER, tcp, udp, sctp, icmp or icmp6, not its end'],
])('--pcap %j is refused: %s', (text, message) => {
  expect(() => parseTraceOption(text)).toThrow(new RangeError(message));
});
