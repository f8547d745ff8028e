import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommandFormatError, formatCommand, parseCommand } from '../../src/control/command-json.ts';
import { ipv4 } from '../../src/core/address.ts';
import { ARBITRARY_COMMANDS, anyCommand } from './arbitrary-command.ts';

describe.each(Object.entries(ARBITRARY_COMMANDS))('%s', (_op, command) => {
  test('is the same after it was written and read', () => {
    fc.assert(fc.property(command, (c) => void expect(parseCommand(formatCommand(c))).toEqual(c)));
  });
});

test('a command is one line', () => {
  fc.assert(fc.property(anyCommand, (c) => void expect(formatCommand(c)).not.toMatch(/[\n\0]/)));
});

test('addresses are text', () => {
  const key = { family: 2, protocol: 6, addr: ipv4(0x0a000001), port: 80, fwmark: 0 } as const;
  expect(formatCommand({ op: 'delete-service', service: key })).toBe(
    '{"op":"delete-service","service":{"family":2,"protocol":6,"addr":"10.0.0.1","port":80,"fwmark":0}}',
  );
});

const key = '"family":2,"protocol":6,"addr":"10.0.0.1","port":80,"fwmark":0';

test.each([
  { text: '', says: 'not JSON' },
  { text: '[]', says: 'command is not an object' },
  { text: '{}', says: 'command.op is not a text' },
  { text: '{"op":"toString"}', says: 'unknown op "toString"' },
  { text: '{"op":"set-weight"}', says: 'unknown op "set-weight"' },
  { text: '{"op":"delete-service"}', says: 'service is not an object' },
  {
    text: `{"op":"delete-service","service":{${key.replace('80', '1.5')}}}`,
    says: 'service.port is not an integer',
  },
  {
    text: `{"op":"delete-service","service":{${key.replace('10.', '')}}}`,
    says: 'service.addr is not an address',
  },
  {
    text: `{"op":"delete-service","service":{${key.replace(':2', ':3')}}}`,
    says: 'service.family is not an address family',
  },
  { text: '{"op":"stop-daemon","state":"1"}', says: 'command.state is not an integer' },
])('$text is refused: $says', ({ text, says }) => {
  expect(() => parseCommand(text)).toThrow(new CommandFormatError(says));
});
