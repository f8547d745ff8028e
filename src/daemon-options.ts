import { parseArgs } from 'node:util';
import { LABEL_NAMES, type LabelName, parseLabelNames } from './metrics/labels.ts';
import { type ListenAddress, parseListenAddress } from './metrics/listen-address.ts';
import { CAPTURE_CHOICES } from './net/packet/host-state/shortcut.ts';
import { IO_CHOICES } from './net/packet/io-tier.ts';
import { parseTraceOption, type TraceOptions } from './net/packet/trace/option.ts';
import type { WorkerOptions } from './worker.ts';

/** What the director was told on its command line. */
export interface DaemonOptions extends WorkerOptions {
  readonly fresh: boolean;
  readonly fsync: 'always' | 'soon';
  readonly drainMs: number;
  readonly procSnapshots: boolean;
  /** The end of standard input is an order to stop. */
  readonly untilEof: boolean;
  readonly metrics: MetricsOptions | undefined;
}

export interface MetricsOptions {
  readonly address: ListenAddress;
  readonly labels: readonly LabelName[];
}

const DEFAULT_CONN_MAX = 1 << 20;
const MAX_CONN_MAX = 1 << 23;
/** How long connections may end by themselves after TERM, unless --drain says otherwise. */
const DEFAULT_DRAIN_SEC = 2;
const MAX_DRAIN_SEC = 86_400;

const PLANES = ['auto', 'proxy', 'packet', 'none'] as const;

/** The command line is wrong; the message is one line for its writer. */
export class DaemonUsageError extends Error {
  override readonly name = 'DaemonUsageError';
}

/** @throws DaemonUsageError */
export function parseDaemonOptions(args: readonly string[]): DaemonOptions {
  const { plane, fresh, fsync, drain, 'conn-max': connMax, io, capture, ...switches } = readOptions(args);
  if (!isOneOf(plane, PLANES))
    throw new DaemonUsageError(`daemon: --plane takes ${PLANES.join(', ')}, not '${plane}'`);
  if (fsync !== 'always' && fsync !== 'soon') {
    throw new DaemonUsageError(`daemon: --fsync takes always or soon, not '${fsync}'`);
  }
  if (!isOneOf(io, IO_CHOICES))
    throw new DaemonUsageError(`daemon: --io takes ${IO_CHOICES.join(', ')}, not '${io}'`);
  if (!isOneOf(capture, CAPTURE_CHOICES))
    throw new DaemonUsageError(`daemon: --capture takes ${CAPTURE_CHOICES.join(', ')}, not '${capture}'`);
  return {
    plane,
    io,
    capture,
    pcap: traceOptions(switches.pcap),
    fresh,
    fsync,
    drainMs: wholeNumber('--drain', drain, 0, MAX_DRAIN_SEC) * 1000,
    connMax: wholeNumber('--conn-max', connMax, 1, MAX_CONN_MAX),
    procSnapshots: switches['proc-snapshots'],
    untilEof: switches['until-eof'],
    metrics: metricsOptions(switches.metrics, switches['metrics-labels']),
  };
}

function metricsOptions(where: string | undefined, names: string): MetricsOptions | undefined {
  const labels = labelNames(names);
  if (where === undefined) return undefined;
  const address = parseListenAddress(where);
  if (!address)
    throw new DaemonUsageError(`daemon: --metrics takes ADDR:PORT, PORT or unix:PATH, not '${where}'`);
  return { address, labels };
}

function traceOptions(text: string | undefined): TraceOptions | undefined {
  if (text === undefined) return undefined;
  try {
    return parseTraceOption(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DaemonUsageError(`daemon: --pcap ${error.message}`);
  }
}

function labelNames(text: string): LabelName[] {
  try {
    return parseLabelNames(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DaemonUsageError(`daemon: --metrics-labels: ${error.message}`);
  }
}

function readOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        plane: { type: 'string', default: 'auto' },
        fresh: { type: 'boolean', default: false },
        fsync: { type: 'string', default: 'soon' },
        drain: { type: 'string', default: String(DEFAULT_DRAIN_SEC) },
        'conn-max': { type: 'string', default: String(DEFAULT_CONN_MAX) },
        io: { type: 'string', default: 'auto' },
        capture: { type: 'string', default: 'auto' },
        pcap: { type: 'string' },
        'proc-snapshots': { type: 'boolean', default: false },
        'until-eof': { type: 'boolean', default: false },
        metrics: { type: 'string' },
        'metrics-labels': { type: 'string', default: LABEL_NAMES.join(',') },
      },
    }).values;
  } catch (error) {
    throw new DaemonUsageError(`daemon: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const isOneOf = <T extends string>(value: string, all: readonly T[]): value is T =>
  (all as readonly string[]).includes(value);

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new DaemonUsageError(`daemon: ${option} takes a whole number from ${min} to ${max}, not '${text}'`);
}
