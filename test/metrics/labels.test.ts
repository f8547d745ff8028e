import { expect, test } from 'vitest';
import { LABEL_NAMES, labelSets, parseLabelNames } from '../../src/metrics/labels.ts';

test('label names are taken in any order and printed sorted', () => {
  expect(parseLabelNames('proto,local_address,proto')).toEqual(['local_address', 'proto']);
  expect(parseLabelNames(LABEL_NAMES.join(','))).toEqual(LABEL_NAMES);
  expect([...LABEL_NAMES].sort()).toEqual(LABEL_NAMES);
});

test.each(['', 'proto,', 'port', 'proto local_address', 'Proto'])('%j is refused', (text) => {
  expect(() => parseLabelNames(text)).toThrow(RangeError);
});

test('services have no labels of servers, and the metrics of the node exporter no family', () => {
  const sets = labelSets(LABEL_NAMES);
  expect(sets.service).toEqual(['family', 'local_address', 'local_mark', 'local_port', 'proto']);
  expect(sets.destination).toEqual(LABEL_NAMES);
  expect(sets.backend).toEqual([
    'local_address',
    'local_mark',
    'local_port',
    'proto',
    'remote_address',
    'remote_port',
  ]);
});
