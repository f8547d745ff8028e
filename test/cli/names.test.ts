import { expect, test } from 'vitest';
import { parseEndpoint } from '../../src/cli/endpoint.ts';
import { type Names, ServiceNames, SystemNames } from '../../src/cli/names.ts';
import { formatAddress } from '../../src/core/address.ts';
import { PROTOCOL } from '../../src/core/config.ts';
import { RECORDED_NAMES } from './in-process.ts';

const SERVICES = new ServiceNames(`
# comment
http		80/tcp		www	# World Wide Web
http-too	80/tcp
domain		53/udp
domain		53/tcp
odd	line
m3ua		2905/sctp
`);

test.each([
  { name: 'http', protocol: PROTOCOL.TCP, port: 80 },
  { name: 'www', protocol: PROTOCOL.TCP, port: 80 },
  { name: 'http', protocol: PROTOCOL.UDP, port: undefined },
  { name: 'HTTP', protocol: PROTOCOL.TCP, port: undefined },
  { name: 'm3ua', protocol: PROTOCOL.SCTP, port: 2905 },
  { name: 'http', protocol: PROTOCOL.IP, port: undefined },
  { name: 'comment', protocol: PROTOCOL.TCP, port: undefined },
])('$name of protocol $protocol is port $port', ({ name, protocol, port }) => {
  expect(SERVICES.port(name, protocol)).toBe(port);
});

test('of two services on one port the first one gives its name', () => {
  expect(SERVICES.name(80, PROTOCOL.TCP)).toBe('http');
});

test('a port that no service of the protocol uses has no name', () => {
  expect(SERVICES.name(80, PROTOCOL.UDP)).toBeUndefined();
});

test.each([
  { text: '10.0.0.1:80', reads: '10.0.0.1 80' },
  { text: 'vip:www', reads: '10.0.0.10 80' },
  { text: 'VIP', reads: '10.0.0.10 none' },
  { text: 'localhost6', reads: '127.0.0.1 none' },
  { text: '[2001:db8::1]:80', reads: '2001:db8::1 80' },
  { text: '2001:db8::1:80', reads: '2001:db8::1:80 none' },
  { text: '[10.0.0.1]:8080', reads: '10.0.0.1 none' },
  { text: '[vip]:', reads: '10.0.0.10 none' },
  { text: 'vip6:80', reads: 'nothing' },
  { text: '[2001:db8::1]', reads: 'nothing' },
  { text: '[2001:db8::1]x:80', reads: 'nothing' },
  { text: '[2001:db8::1]:', reads: 'nothing' },
  { text: '[vip6]:80', reads: 'nothing' },
  { text: '10.0.0.1:', reads: 'nothing' },
  { text: '10.0.0.1:65536', reads: 'nothing' },
  { text: ':80', reads: 'nothing' },
  { text: '', reads: 'nothing' },
])('the endpoint "$text" reads $reads', async ({ text, reads }) => {
  const endpoint = await parseEndpoint(text, PROTOCOL.TCP, RECORDED_NAMES);
  const read = endpoint ? `${formatAddress(endpoint.addr)} ${endpoint.port ?? 'none'}` : 'nothing';
  expect(read).toBe(reads);
});

test('numbers are read without asking for a name', async () => {
  const refuse = (): never => {
    throw new Error('a name was asked for');
  };
  const names: Names = { hostAddress: refuse, hostName: refuse, servicePort: refuse, serviceName: refuse };
  for (const text of ['10.1:80', '[::1]:80', '::1', '0x7f000001']) {
    expect(await parseEndpoint(text, PROTOCOL.TCP, names), text).toBeDefined();
  }
});

test('the system knows its loopback address by name and nobody by no name', async () => {
  const names = new SystemNames();
  const loopback = await names.hostAddress('localhost');
  expect(loopback && formatAddress(loopback)).toBe('127.0.0.1');
  expect(names.servicePort('no-such-service', PROTOCOL.TCP)).toBeUndefined();
  expect(names.serviceName(0, PROTOCOL.TCP)).toBeUndefined();
});
