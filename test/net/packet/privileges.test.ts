import { expect, test } from 'vitest';
import { missingCapabilities, probePrivileges } from '../../../src/net/packet/privileges.ts';

const ADMIN = 'CAP_NET_ADMIN: to make a TUN device and to lead packets to it';
const RAW = 'CAP_NET_RAW: to send packets to gateway and tunnel servers';

test.each([
  { capabilities: '000001ffffffffff', missing: [] },
  { capabilities: '0000000000003000', missing: [] },
  { capabilities: '00000000a80425fb', missing: [ADMIN] },
  { capabilities: '0000000000001000', missing: [RAW] },
  { capabilities: '0000000000000000', missing: [ADMIN, RAW] },
])('of the capabilities $capabilities these are missing: $missing', ({ capabilities, missing }) => {
  const status = `CapPrm:\t000001ffffffffff\nCapEff:\t${capabilities}\nCapBnd:\t000001ffffffffff\n`;
  expect(missingCapabilities(status)).toEqual(missing);
});

test('where no capabilities are told, none is said to be missing', () => {
  expect(missingCapabilities('Name:\tnode\n')).toEqual([]);
});

test('probing says each missing thing in one line', () => {
  const { missing, uringObstacle } = probePrivileges();
  for (const line of [...missing, uringObstacle ?? '']) expect(line).not.toContain('\n');
});
