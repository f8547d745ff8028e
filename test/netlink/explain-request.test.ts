import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Query } from '../../src/core/commands.ts';
import type { ExplainRequest, Explanation } from '../../src/core/explanation.ts';
import { connectDirector } from '../../src/netlink/client.ts';
import { readExplainRequest } from '../../src/netlink/explain-request.ts';
import { NetlinkSession } from '../../src/netlink/server.ts';
import { destConfig, flowTo, serviceConfig } from '../support/core.ts';
import { exchangeWith } from './support.ts';

const { addr, port } = destConfig(1);
const REQUEST: ExplainRequest = { flow: flowTo(serviceConfig(), 4000), times: 3, without: [{ addr, port }] };
const ANSWER: readonly Explanation[] = Array.from({ length: 3000 }, (_, i) => ({
  client: `10.1.0.2:${i}`,
  scheduler: 'rr',
  server: '',
  reason: 'nobody may be chosen',
  persistentSec: 0,
  state: 'cursor: é',
  candidates: [],
}));

test('a question for explanations and a long answer cross the wire as they are', async () => {
  const asked: Query[] = [];
  const session = new NetlinkSession({
    apply: async () => {},
    ask: async (query: Query): Promise<never> => {
      asked.push(query);
      return ANSWER as never;
    },
  });
  const client = await connectDirector(exchangeWith(session));
  expect(await client.ask({ query: 'explain', request: REQUEST })).toEqual(ANSWER);
  expect(asked).toEqual([{ query: 'explain', request: REQUEST }]);
});

test.each([
  { what: 'no JSON', text: '{' },
  { what: 'no object', text: '[]' },
  { what: 'no flow', text: JSON.stringify({ ...REQUEST, flow: 1 }) },
  {
    what: 'a port beyond 16 bits',
    text: JSON.stringify({ ...REQUEST, flow: { ...REQUEST.flow, cport: 65_536 } }),
  },
  {
    what: 'families that differ',
    text: JSON.stringify({
      ...REQUEST,
      flow: { ...REQUEST.flow, caddr: { family: 10, words: [0, 0, 0, 1] } },
    }),
  },
  {
    what: 'half an address',
    text: JSON.stringify({ ...REQUEST, flow: { ...REQUEST.flow, vaddr: { family: 2, words: [1] } } }),
  },
  { what: 'no times', text: JSON.stringify({ ...REQUEST, times: 0 }) },
  { what: 'servers that are none', text: JSON.stringify({ ...REQUEST, without: [{}] }) },
])('$what is no request', ({ text }) => {
  expect(readExplainRequest(text)).toBe(undefined);
});

test('no JSON makes the reader throw', () => {
  fc.assert(fc.property(fc.json(), (text) => void readExplainRequest(text)));
  fc.assert(
    fc.property(fc.constantFrom('flow', 'times', 'without'), fc.jsonValue(), (key, value) => {
      readExplainRequest(JSON.stringify({ ...REQUEST, [key]: value }));
    }),
  );
});
