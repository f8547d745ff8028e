import { type Address, AF_INET6, formatAddress } from '../../core/address.ts';
import { CONN_FLAG } from '../../core/conn-flags.ts';
import type { SyncRecord } from '../../core/sync-record.ts';
import { type MessageHead, parseHead } from './message.ts';
import { sequenceValues } from './options.ts';
import { parseRecords } from './reader.ts';

/** A message for traces: a line for its head and one for each record or fault. */
export function printMessage(b: Uint8Array): string {
  const head = parseHead(b);
  if (typeof head === 'string') return `sync message of ${b.length} bytes: ${head}`;
  const { records, faults } = parseRecords(b, head);
  const lines = [
    printHead(head, b.length),
    ...records.map(printRecord),
    ...faults.map((fault) => `! ${fault}`),
  ];
  return lines.join('\n');
}

/** One record: `6 10.1.0.1:20001 -> 10.0.0.1:80 -> 10.2.0.2:80 state 1 flags 00000083 timeout 900`. */
export function printRecord(record: SyncRecord): string {
  const { protocol, state, flags, fwmark, timeoutSec, sequences, peName, peData } = record;
  const isTemplate = (flags & CONN_FLAG.TEMPLATE) !== 0;
  const ends = [
    endpoint(record.caddr, record.cport),
    endpoint(record.vaddr, record.vport),
    endpoint(record.daddr, record.dport),
  ].join(' -> ');
  const extras = [
    fwmark === 0 ? '' : ` fwmark ${fwmark}`,
    sequences ? ` sequences ${sequenceValues(sequences).join(',')}` : '',
    peName === '' && peData === '' ? '' : ` pe ${peName} ${JSON.stringify(peData)}`,
  ];
  const flagsText = (flags >>> 0).toString(16).padStart(8, '0');
  const text = `${protocol} ${ends} state ${state} flags ${flagsText} timeout ${timeoutSec}${extras.join('')}`;
  return isTemplate ? `template ${text}` : text;
}

const printHead = ({ version, syncId, count }: MessageHead, size: number): string =>
  `sync message format ${version} syncid ${syncId} records ${count} bytes ${size}`;

const endpoint = (address: Address, port: number): string =>
  address.family === AF_INET6 ? `[${formatAddress(address)}]:${port}` : `${formatAddress(address)}:${port}`;
