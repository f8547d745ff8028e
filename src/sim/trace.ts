import type { TraceRecord } from './arrivals.ts';

/** A mistake in a file; lines and columns count from 1. */
export interface FileProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const COLUMNS: readonly string[] = ['time_s', 'client', 'work_ms'];
const NUMBER = /^\d+(\.\d+)?(e[+-]?\d+)?$/i;

/**
 * Reads recorded connections: a header that names the columns (time_s; client and work_ms may be left out), then a line
 * each in order of time.
 */
export function parseTrace(text: string): readonly TraceRecord[] | FileProblem {
  const lines = text.split(/\r?\n/);
  const header = lines[0]!.split(',').map((name) => name.trim());
  if (header[0] !== 'time_s' || !header.every((name) => COLUMNS.includes(name))) {
    return { line: 1, column: 1, message: `expected a header of time_s,client,work_ms; found '${lines[0]}'` };
  }
  const records: TraceRecord[] = [];
  let lastMs = 0;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    if (line.trim() === '') continue;
    const record = readRecord(line, i + 1, header);
    if ('message' in record) return record;
    if (record.atMs < lastMs) return { line: i + 1, column: 1, message: 'expected times in ascending order' };
    lastMs = record.atMs;
    records.push(record);
  }
  if (records.length > 0) return records;
  return { line: 1, column: 1, message: 'expected at least one connection after the header' };
}

function readRecord(text: string, line: number, header: readonly string[]): TraceRecord | FileProblem {
  const cells = text.split(',');
  if (cells.length !== header.length) {
    return { line, column: 1, message: `expected ${header.length} columns; found ${cells.length}` };
  }
  const values: Record<string, number> = {};
  let column = 1;
  for (const [i, cell] of cells.entries()) {
    const word = cell.trim();
    const isWhole = header[i] === 'client';
    if (!NUMBER.test(word) || (isWhole && !Number.isSafeInteger(Number(word)))) {
      return {
        line,
        column,
        message: `expected a ${isWhole ? 'whole ' : ''}number for ${header[i]}; found '${word}'`,
      };
    }
    values[header[i]!] = Number(word);
    column += cell.length + 1;
  }
  return { atMs: values['time_s']! * 1000, client: values['client'] ?? -1, workMs: values['work_ms'] ?? -1 };
}
