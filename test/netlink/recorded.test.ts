import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readMessages } from '../../src/netlink/wire.ts';
import { answers, bytes, hex, recordedRequests, sessionOver } from './support.ts';

/** Where we answer otherwise than the recorded kernel. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  'controller by name':
    'nobody here would hear its multicast group or answer GETPOLICY, so they are not offered',
  'controller by number': 'as by name',
  'get service of timeout -1': 'the kernel counts in ticks and wraps at 2^32 of them',
};

describe('requests of every form get the replies of the kernel, datagram by datagram', () => {
  const session = sessionOver({ pad64: true });
  test.each(recordedRequests)('$name', async ({ name, request, replies }) => {
    const got = (await answers(session, bytes(request))).map(hex);
    if (DEVIATIONS[name]) expect(got).not.toEqual(replies);
    else expect(got).toEqual(replies);
  });
});

/** One command line of ipvsadm and what passed on netlink; `hex` is missing where the message is a repeated look-up. */
interface Step {
  readonly argv: readonly string[];
  readonly messages: readonly { readonly to: 'kernel' | 'user'; readonly hex?: string }[];
}

const SCENARIOS = ['301-services', '302-servers', '303-timeouts-daemons', '304-restore'];

describe.each(SCENARIOS)('ipvsadm gets the messages of the kernel, %s', (scenario) => {
  const session = sessionOver({ pad64: true });
  test.each(stepsOf(scenario))('$argv', async ({ messages }) => {
    for (const { request, replies } of exchanges(messages)) {
      const datagrams = await answers(session, bytes(request));
      const got = datagrams.flatMap((datagram) => readMessages(datagram).map(({ raw }) => hex(raw)));
      expect(inOrder(got, request)).toEqual(inOrder(replies, request));
    }
  });
});

function stepsOf(scenario: string): Step[] {
  const file = new URL(`../golden/netlink/${scenario}.json`, import.meta.url);
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Step);
}

function exchanges(messages: Step['messages']): { request: string; replies: string[] }[] {
  const all: { request: string; replies: string[] }[] = [];
  let current: string[] = [];
  for (const { to, hex: content } of messages) {
    if (to === 'kernel') {
      current = [];
      if (content !== undefined) all.push({ request: content, replies: current });
    } else if (content !== undefined) current.push(content);
  }
  return all;
}

/** The kernel's hash puts the services of a dump in no order that could be repeated. */
function inOrder(replies: readonly string[], request: string): string[] {
  const [message] = readMessages(bytes(request));
  const isServiceDump =
    message !== undefined && (message.flags & 0x300) === 0x300 && message.payload[0] === 4;
  return isServiceDump ? [...replies.slice(0, -1)].sort().concat(replies.slice(-1)) : [...replies];
}
