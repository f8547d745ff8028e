import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errnoName } from '../../src/core/errors.ts';
import { type Message, readMessages, TYPE } from '../../src/netlink/wire.ts';
import { answers, bytes, sessionOver } from './support.ts';

interface AskedKernel {
  readonly what: string;
  readonly request: string;
  /** Commands of the reply messages, then OK, DONE or the errno's name, as the recorder wrote them. */
  readonly answer: string;
}

const RECORDED: readonly AskedKernel[] = JSON.parse(
  readFileSync(new URL('../golden/netlink/errnos.json', import.meta.url), 'utf8'),
);

/** The recorder's library has this name for EOPNOTSUPP. */
const NAMES: Readonly<Record<string, string>> = { EOPNOTSUPP: 'ENOTSUP' };

const session = sessionOver();

test.each(RECORDED)('$what: $answer', async ({ request, answer }) => {
  const replies = (await answers(session, bytes(request))).flatMap(readMessages);
  expect(replies.map(wordOf).join(' ')).toBe(answer);
});

function wordOf({ type, payload }: Message): string {
  if (type === TYPE.DONE) return 'DONE';
  if (type !== TYPE.ERROR) return `cmd${payload[0]}`;
  const errno = -new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
  const name = errno === 0 ? 'OK' : errnoName(errno);
  return NAMES[name ?? ''] ?? name ?? `errno ${errno}`;
}
