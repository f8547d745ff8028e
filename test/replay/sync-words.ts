import { parseHead } from '../../src/sync/wire/message.ts';
import { printRecord } from '../../src/sync/wire/print.ts';
import { parseRecords } from '../../src/sync/wire/reader.ts';

/**
 * The set of records in synchronisation messages, with format and syncid of their message: which message a record is
 * in, and how often it is sent, depends on the moment. Sequence values are left out: recorded kernels send garbage.
 */
export function describeSyncMessages(payloads: readonly string[]): string[] {
  const found = new Set(payloads.flatMap(recordsOf));
  return [...found].sort();
}

function recordsOf(hex: string): string[] {
  const bytes = new Uint8Array(Buffer.from(hex, 'hex'));
  const head = parseHead(bytes);
  if (typeof head === 'string') return [`${head}: ${hex}`];
  const { records, faults } = parseRecords(bytes, head);
  const lines = records.map((record) => printRecord(record).replace(/ sequences [-\d,]+/, ' sequences'));
  return [...lines, ...faults].map((line) => `format ${head.version} syncid ${head.syncId} ${line}`);
}
