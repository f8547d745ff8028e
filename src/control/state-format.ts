import { crc32 } from 'node:zlib';
import type { Command } from '../core/commands.ts';
import { CommandFormatError, formatCommand, parseCommand } from './command-json.ts';

/*
 * uipvs-state 1 2                          format version, records that the last compaction wrote
 * 5d1a0c3e {"op":"add-service",...}        CRC-32 of all lines before and of this JSON, JSON of the command
 * 91c2b7aa {"op":"add-dest",...}
 *
 * The checksum is chained, so that a line that is changed, lost, repeated or moved shows.
 */
const HEADER = /^uipvs-state (\d+) (\d+)$/;
const FORMAT_VERSION = 1;
// With `s`, because U+2028 and U+2029 may stand in JSON as they are.
const RECORD = /^([0-9a-f]{8}) (.*)$/s;
const NEWLINE = 10;

/** What a state file holds. */
export interface StateContents {
  readonly commands: readonly Command[];
  /** How many of them the last compaction wrote. */
  readonly compacted: number;
  /** Bytes that are whole; what follows is a torn last record. */
  readonly goodBytes: number;
  /** Checksum that the next record goes on from. */
  readonly chain: number;
}

/** A state file that is broken elsewhere than in a torn last record. */
export class StateFormatError extends Error {
  override readonly name = 'StateFormatError';
  /** From 1. */
  readonly line: number;
  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

/** @returns the header line and the checksum that the first record goes on from. */
export function formatHeader(compacted: number): { text: string; chain: number } {
  const line = `uipvs-state ${FORMAT_VERSION} ${compacted}`;
  return { text: `${line}\n`, chain: crc32(line) };
}

/** @returns a record line and the checksum that the next one goes on from. */
export function formatRecord(command: Command, chain: number): { text: string; chain: number } {
  const json = formatCommand(command);
  const sum = crc32(json, chain);
  return { text: `${sum.toString(16).padStart(8, '0')} ${json}\n`, chain: sum };
}

/**
 * Reads a whole state file. A last line without its newline, or with bytes that were never written (0), is a write that
 * a death of the machine or the process cut short: it is left out.
 * @throws StateFormatError
 */
export function parseState(bytes: Uint8Array): StateContents {
  const lines = splitLines(bytes);
  const header = lines[0];
  const match = header && HEADER.exec(header.text);
  if (!match) throw new StateFormatError(1, 'not a state file of uipvs');
  if (Number(match[1]) !== FORMAT_VERSION)
    throw new StateFormatError(1, `unknown format version ${match[1]}`);
  const commands: Command[] = [];
  let chain = crc32(header.text);
  for (let i = 1; i < lines.length; i++) {
    const record = RECORD.exec(lines[i]!.text);
    if (!record) throw new StateFormatError(i + 1, 'not a record');
    chain = crc32(record[2]!, chain);
    if (chain !== Number.parseInt(record[1]!, 16)) throw new StateFormatError(i + 1, 'wrong checksum');
    commands.push(readCommand(record[2]!, i + 1));
  }
  return { commands, compacted: Number(match[2]), goodBytes: lines.at(-1)!.end, chain };
}

function readCommand(json: string, line: number): Command {
  try {
    return parseCommand(json);
  } catch (error) {
    if (error instanceof CommandFormatError) throw new StateFormatError(line, error.message);
    throw error;
  }
}

interface Line {
  readonly text: string;
  /** Offset after its newline. */
  readonly end: number;
}

/** Whole lines only. */
function splitLines(bytes: Uint8Array): Line[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const lines: Line[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    lines.push({ text: decoder.decode(bytes.subarray(start, end)), end: end + 1 });
    start = end + 1;
  }
  const last = lines.at(-1);
  if (last?.text.includes('\0') && last.end === bytes.length) lines.pop();
  return lines;
}
