import { expect, test } from 'vitest';
import { formatListenAddress, parseListenAddress } from '../../src/metrics/listen-address.ts';

test.each([
  ['9100', { host: '127.0.0.1', port: 9100 }, '127.0.0.1:9100'],
  ['0', { host: '127.0.0.1', port: 0 }, '127.0.0.1:0'],
  ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }, '0.0.0.0:80'],
  ['[::1]:65535', { host: '::1', port: 65535 }, '[::1]:65535'],
  ['unix:/run/m.sock', { path: '/run/m.sock' }, 'unix:/run/m.sock'],
  ['unix:m:1', { path: 'm:1' }, 'unix:m:1'],
])('%s is an address to listen on', (text, address, printed) => {
  expect(parseListenAddress(text)).toEqual(address);
  expect(formatListenAddress(address)).toBe(printed);
});

test.each([
  '',
  ':9100',
  '65536',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '127.0.0.1:http',
  '::1:9100',
  '[127.0.0.1]:9100',
  'localhost:9100',
  'unix:',
  '-1',
  '1e3',
])('%j is none', (text) => {
  expect(parseListenAddress(text)).toBeUndefined();
});
