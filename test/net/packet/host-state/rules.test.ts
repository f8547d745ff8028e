import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addDeviceRules,
  captureRule,
  type DeviceRule,
  parseRules,
  type RoutingRule,
  removeAllRules,
  removeDeviceRules,
  returnRules,
} from '../../../../src/net/packet/host-state/rules.ts';

const MAIN = 0x75690000;

/** The kernel's list of rules, changed as `ip -batch` would; rules of one preference stand in the order they came. */
class RuleList {
  lines: string[];
  /** Looked at after each change. */
  private readonly onChange: (lines: readonly string[]) => void;

  constructor(lines: readonly string[], onChange: (lines: readonly string[]) => void = () => {}) {
    this.lines = [...lines];
    this.onChange = onChange;
  }

  batch(text: string): void {
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const [, verb, rule] = /^rule (add|del) (.*?)(?: protocol kernel)?$/.exec(line)!;
      if (verb === 'add') this.add(rule!);
      else this.delete(rule!);
      this.onChange(this.lines);
    }
  }

  rules(): RoutingRule[] {
    return parseRules(JSON.stringify(this.lines.map(asJson)));
  }

  private add(rule: string): void {
    expect(this.lines).not.toContain(rule);
    const at = this.lines.findIndex((each) => prefOf(each) > prefOf(rule));
    this.lines.splice(at < 0 ? this.lines.length : at, 0, rule);
  }

  private delete(rule: string): void {
    expect(this.lines).toContain(rule);
    this.lines.splice(this.lines.indexOf(rule), 1);
  }
}

const prefOf = (rule: string): number => Number(rule.split(' ')[1]);

function asJson(rule: string): Record<string, unknown> {
  const words = rule.split(' ');
  const after = (word: string): string | undefined =>
    words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
  const optional = {
    fwmark: after('fwmark'),
    iif: after('iif'),
    table: after('lookup'),
    goto: after('goto'),
  };
  return { priority: prefOf(rule), src: after('from') ?? 'all', protocol: 'kernel', ...optional };
}

const DEFAULT = ['pref 0 lookup local', 'pref 32766 lookup main', 'pref 32767 lookup default'];
const USED = ['pref 0 lookup local', 'pref 1 from 10.9.0.1 lookup 7', 'pref 32766 lookup main'];
const MOVED = ['pref 100 lookup local', 'pref 32766 lookup main'];

const hosts = fc.constantFrom(DEFAULT, USED, MOVED);
const devices = fc
  .tuple(fc.integer({ min: 0, max: 4 }), fc.boolean())
  .map(([slot, isStrict]) => rulesOf(`uipvs-fw${slot}`, slot, isStrict));

function rulesOf(device: string, slot: number, isStrict: boolean): DeviceRule[] {
  const number = MAIN + slot;
  return isStrict ? [captureRule(number), ...returnRules(device, number)] : [captureRule(number)];
}

describe('rules of devices', () => {
  test('come before the local table, which stays at its preference', () => {
    const list = new RuleList(DEFAULT);
    list.batch(addDeviceRules([captureRule(MAIN)], list.rules()));
    list.batch(addDeviceRules([captureRule(MAIN + 1)], list.rules()));
    expect(list.lines).toEqual([
      'pref 0 fwmark 0x75690000 lookup 1969815552',
      'pref 0 fwmark 0x75690001 lookup 1969815553',
      ...DEFAULT,
    ]);
  });

  test('let packets of a device take a way around the rule for the way back', () => {
    const list = new RuleList(USED);
    list.batch(addDeviceRules(returnRules('uipvs0', MAIN), list.rules()));
    expect(list.lines).toEqual([
      'pref 0 fwmark 0x75698000 iif uipvs0 goto 1',
      'pref 0 fwmark 0x75698000 lookup 1969815552',
      'pref 0 lookup local',
      'pref 1 from 10.9.0.1 lookup 7',
      'pref 1 lookup local',
      'pref 32766 lookup main',
    ]);
  });

  test('are before the local table and complete after any changes; the host always has that table; none is left', () => {
    fc.assert(
      fc.property(hosts, fc.array(fc.tuple(fc.boolean(), devices), { maxLength: 8 }), (host, changes) => {
        const list = new RuleList(host, (lines) => {
          expect(lines.some((line) => line.endsWith('lookup local'))).toBe(true);
        });
        for (const [isAdded, rules] of changes) {
          const change = isAdded ? addDeviceRules : removeDeviceRules;
          list.batch(change(rules, list.rules()));
          expect(change(rules, list.rules())).toBe('');
          const local = list.lines.findIndex((line) => line.endsWith('lookup local'));
          for (const [at, line] of list.lines.entries())
            if (line.includes('fwmark')) expect(at).toBeLessThan(local);
        }
        list.batch(removeAllRules(list.rules()));
        expect(list.lines).toEqual(host);
      }),
    );
  });

  test('are put in order again when one was removed', () => {
    const list = new RuleList(DEFAULT);
    const wanted = rulesOf('uipvs0', 0, true);
    list.batch(addDeviceRules(wanted, list.rules()));
    const complete = [...list.lines];
    for (const removed of complete.filter((line) => line.includes('fwmark'))) {
      list.batch(`rule del ${removed}\n`);
      list.batch(addDeviceRules(wanted, list.rules()));
      expect(list.lines).toEqual(complete);
    }
  });
});

test('a change that was broken off anywhere is swept up, and the local table never lost', () => {
  for (const host of [DEFAULT, USED, MOVED]) {
    const text = addDeviceRules(rulesOf('uipvs0', 0, true), new RuleList(host).rules());
    const lines = text.split('\n').filter((line) => line !== '');
    for (let done = 0; done <= lines.length; done++) {
      const list = new RuleList(host);
      list.batch(lines.slice(0, done).join('\n'));
      list.batch(removeAllRules(list.rules()));
      expect(list.lines).toEqual(host);
    }
  }
});

test("other people's rules are not taken for the director's", () => {
  const theirs = [
    'pref 0 lookup local',
    'pref 0 fwmark 0x7 lookup 7',
    'pref 5 fwmark 0x75690000 lookup 1969815552',
    'pref 10 lookup local',
  ];
  expect(removeAllRules(new RuleList(theirs).rules())).toBe('');
});

test('reads what ip prints', () => {
  const printed =
    '[{"priority":0,"src":"all","fwmark":"0x75690000","table":"1969815552"},{"priority":0,"src":"all","table":"local"},' +
    '{"priority":0,"src":"all","fwmark":"0x75698000","iif":"uipvs0","goto":1,"unresolved":null},' +
    '{"priority":9,"src":"10.0.0.0","srclen":8,"fwmark":"0x1","fwmask":"0xff","table":"main","protocol":"static"}]';
  const rule = { fwmark: undefined, iif: '', goto: 0, isPlain: true };
  expect(parseRules(printed)).toEqual([
    { ...rule, pref: 0, fwmark: 0x75690000, table: '1969815552' },
    { ...rule, pref: 0, table: 'local' },
    { ...rule, pref: 0, fwmark: 0x75698000, iif: 'uipvs0', table: '', goto: 1 },
    { ...rule, pref: 9, fwmark: 1, table: 'main', isPlain: false },
  ]);
  expect(parseRules('')).toEqual([]);
});
