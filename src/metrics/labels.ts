import { type Address, AF_INET, AF_INET6, formatAddress, ipv4 } from '../core/address.ts';
import type { DestKey, ServiceKey } from '../core/config.ts';
import { protocolName } from '../core/service.ts';

/** Every label of a service or a destination that can be selected, sorted as they are printed. */
export const LABEL_NAMES = [
  'family',
  'local_address',
  'local_mark',
  'local_port',
  'proto',
  'remote_address',
  'remote_port',
] as const;

export type LabelName = (typeof LABEL_NAMES)[number];

/** Label names and their values. */
export type Labels = Readonly<Record<string, string>>;

/** The labels that the series of one group carry. */
export interface LabelSets {
  /** Of a service. */
  readonly service: readonly LabelName[];
  /** Of a destination. */
  readonly destination: readonly LabelName[];
  /** Of a destination in the metrics of the node exporter, which knows no family. */
  readonly backend: readonly LabelName[];
}

/**
 * Reads a list of label names between commas.
 * @throws RangeError that names what is no label
 */
export function parseLabelNames(text: string): LabelName[] {
  const names = text.split(',');
  const wrong = names.find((name) => !isLabelName(name));
  if (wrong !== undefined) throw new RangeError(`'${wrong}' is none of ${LABEL_NAMES.join(', ')}`);
  return LABEL_NAMES.filter((name) => names.includes(name));
}

/** @returns the labels of each group, those left out that are not selected. */
export function labelSets(selected: readonly LabelName[]): LabelSets {
  return {
    service: selected.filter((name) => !name.startsWith('remote_')),
    destination: selected,
    backend: selected.filter((name) => name !== 'family'),
  };
}

/** @returns the value of every label of a service. */
export function serviceLabels(service: ServiceKey): Labels {
  const marked = service.fwmark !== 0;
  return {
    family: service.family === AF_INET6 ? 'inet6' : 'inet',
    local_address: marked ? '' : addressLabel(service.addr),
    local_mark: marked ? (service.fwmark >>> 0).toString(16).toUpperCase().padStart(8, '0') : '',
    local_port: marked ? '0' : String(service.port),
    proto: marked ? 'FWM' : protocolName(service.protocol),
  };
}

/** @returns the value of every label of a destination of the service with those labels. */
export function destinationLabels(service: Labels, dest: DestKey): Labels {
  return { ...service, remote_address: addressLabel(dest.addr), remote_port: String(dest.port) };
}

/** @returns those of the labels that have one of the names. */
export function pick(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(names.map((name) => [name, labels[name]!]));
}

/** Prints an address as Go's net.IP does, and so the node exporter: no dotted tail but for a mapped IPv4 address alone. */
function addressLabel(address: Address): string {
  const [a, b, c, d] = address.words;
  if (address.family === AF_INET || a !== 0 || b !== 0) return formatAddress(address);
  if (c === 0xffff) return formatAddress(ipv4(d));
  if (c !== 0 || d >>> 16 === 0) return formatAddress(address);
  return `::${(d >>> 16).toString(16)}:${(d & 0xffff).toString(16)}`;
}

const isLabelName = (name: string): name is LabelName => (LABEL_NAMES as readonly string[]).includes(name);
