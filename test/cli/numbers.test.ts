import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inetAton } from '../../src/cli/inet-aton.ts';
import { parseDecimal, parseLeadingInt } from '../../src/cli/numbers.ts';
import { formatAddress, ipv4 } from '../../src/core/address.ts';

test.each([
  { text: '0', value: 0 },
  { text: '010', value: 10 },
  { text: ' \t+5', value: 5 },
  { text: '-0', value: 0 },
  { text: '100', value: 100 },
  { text: '101', value: undefined },
  { text: '-1', value: undefined },
  { text: '', value: undefined },
  { text: '5 ', value: undefined },
  { text: '5x', value: undefined },
  { text: '0x5', value: undefined },
  { text: '1.5', value: undefined },
  { text: '18446744073709551617', value: undefined },
])('"$text" is $value among 0 to 100', ({ text, value }) => {
  expect(parseDecimal(text, 0, 100)).toBe(value);
});

test.each([
  { text: '64', value: 64 },
  { text: ' +65x', value: 65 },
  { text: 'x', value: 0 },
  { text: '', value: 0 },
  { text: '-1', value: -1 },
  { text: '0x40', value: 0 },
  { text: '4294967360', value: 64 },
  { text: '99999999999999999999', value: -1 },
  { text: '-99999999999999999999', value: 0 },
])('the int at the start of "$text" is $value', ({ text, value }) => {
  expect(parseLeadingInt(text)).toBe(value);
});

test.each([
  { text: '10.0.0.1', address: '10.0.0.1' },
  { text: '10.1', address: '10.0.0.1' },
  { text: '10.1.257', address: '10.1.1.1' },
  { text: '167772161', address: '10.0.0.1' },
  { text: '4294967295', address: '255.255.255.255' },
  { text: '0x0a000001', address: '10.0.0.1' },
  { text: '010.0.0.1', address: '8.0.0.1' },
  { text: '10.0x10.010.8', address: '10.16.8.8' },
  { text: '10.0.0.1 rest', address: '10.0.0.1' },
  { text: '10.0.0.1\t', address: '10.0.0.1' },
  { text: '4294967296', address: undefined },
  { text: '10.0.0.256', address: undefined },
  { text: '10.0.65536', address: undefined },
  { text: '10.16777216', address: undefined },
  { text: '256.1', address: undefined },
  { text: '10.0.0.1.', address: undefined },
  { text: '1.2.3.4.5', address: undefined },
  { text: '10..1', address: undefined },
  { text: '08.0.0.1', address: undefined },
  { text: '0x', address: undefined },
  { text: '+10.0.0.1', address: undefined },
  { text: ' 10.0.0.1', address: undefined },
  { text: 'localhost', address: undefined },
  { text: '', address: undefined },
])('inet_aton takes "$text" for $address', ({ text, address }) => {
  const parsed = inetAton(text);
  expect(parsed && formatAddress(parsed)).toBe(address);
});

test('every printed IPv4 address is read back', () => {
  fc.assert(
    fc.property(fc.integer(), (word) => {
      expect(inetAton(formatAddress(ipv4(word)))).toEqual(ipv4(word));
    }),
  );
});
