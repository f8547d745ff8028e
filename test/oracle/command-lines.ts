import { seededRandom } from '../support/core.ts';
import type { CommandLine } from '../support/oracle/kernel.ts';
import {
  GROUPS,
  MASKS,
  ODD_MARKS,
  ODD_NUMBERS,
  ODD_SERVERS,
  ODD_SERVICES,
  SCHEDULER_FLAGS,
  SERVERS,
  SERVICES,
  STRAY_WORDS,
} from './words.ts';

const ADD_SERVICE = ['-A', '-A', '-A', '--add-service', '-E', '--edit-service'] as const;
const ADD_SERVER = ['-a', '-a', '-a', '--add-server', '-e', '--edit-server'] as const;
const LIST_OPTIONS = [
  '-n',
  '-n',
  '--numeric',
  '--stats',
  '--rate',
  '--thresholds',
  '--persistent-conn',
  '--exact',
  '--nosort',
  '--sort',
  '--tun-info',
  '--timeout',
  '--daemon',
  '-c',
  '--connection',
  '--syncid',
] as const;
const METHODS = ['-m', '-g', '-i', '--masquerading', '--gatewaying', '--ipip'] as const;
const DAEMONS = ['master', 'backup', 'master', 'backup', 'both', 'Master', ''] as const;
const INTERFACES = ['lo', 'lo', 'lo', 'nosuch0', '', 'averyveryverylonginterfacename'] as const;
const RESTORED_MOST = 6;

/** @returns `count` command lines, good and bad, always the same for a seed */
export function randomCommandLines(
  seed: number,
  count: number,
  schedulers: readonly string[],
): readonly CommandLine[] {
  const generator = new Generator(seededRandom(seed), schedulers);
  return Array.from({ length: count }, () => generator.line());
}

/** Whether a line may list services in the kernel's order, which is random. */
export const listsUnsorted = ({ words, stdin }: CommandLine): boolean =>
  [...words, stdin].some((word) => word.includes('--nosort'));

class Generator {
  private readonly random: () => number;
  private readonly schedulers: readonly string[];
  /** Services of earlier lines, most of which the director took. */
  private readonly added: (readonly string[])[] = [];

  constructor(random: () => number, schedulers: readonly string[]) {
    this.random = random;
    this.schedulers = schedulers;
  }

  line(): CommandLine {
    if (!this.chance(0.06)) return { words: this.words(), stdin: '' };
    const restore = this.chance(0.8) ? ['-R'] : this.spoiled(['--restore']);
    return { words: restore, stdin: this.rules() };
  }

  private words(): string[] {
    const words = this.command();
    return this.chance(0.15) ? this.spoiled(words) : words;
  }

  private command(): string[] {
    const at = this.random();
    if (at < 0.24) return this.addService();
    if (at < 0.54) return this.addServer();
    if (at < 0.74) return this.list();
    if (at < 0.78) return [this.pick(['-D', '-D', '--delete-service']), ...this.service()];
    if (at < 0.83) return this.deleteServer();
    if (at < 0.86) return [this.pick(['-Z', '--zero']), ...(this.chance(0.5) ? this.service() : [])];
    if (at < 0.89) return [this.pick(['-S', '-Sn', '--save']), ...(this.chance(0.5) ? ['-n'] : [])];
    if (at < 0.92) return ['--set', this.number('900'), this.number('120'), this.number('300')];
    if (at < 0.96) return this.startDaemon();
    if (at < 0.98) return ['--stop-daemon', this.pick(DAEMONS), ...this.maybe(0.2, '--syncid', '1')];
    return this.pick([['-C'], ['--clear'], ['-h'], ['--help'], ['-v'], ['--version'], []]);
  }

  private addService(): string[] {
    const command = this.pick(ADD_SERVICE);
    const isNew = command === '-A' || command === '--add-service';
    const service = isNew ? this.newService() : this.service();
    if (isNew) this.added.push(service);
    return [
      command,
      ...service,
      ...this.maybe(0.7, this.pick(['-s', '--scheduler']), this.scheduler()),
      ...this.persistence(),
      ...this.maybe(0.15, this.pick(['-M', '--netmask']), this.pick(MASKS)),
      ...this.maybe(0.1, this.pick(['-o', '--ops'])),
      ...this.maybe(0.1, '--pe', this.pick(['sip', 'sip', 'sip', 'bogus', ''])),
      ...this.maybe(0.2, this.pick(['-b', '--sched-flags']), this.pick(SCHEDULER_FLAGS)),
    ];
  }

  private persistence(): string[] {
    if (this.chance(0.6)) return [];
    if (this.chance(0.3)) return [this.pick(['-p', '--persistent'])];
    const seconds = this.number('600');
    return this.pick([
      ['-p', seconds],
      [`-p${seconds}`],
      ['--persistent', seconds],
      [`--persistent=${seconds}`],
    ]);
  }

  private addServer(): string[] {
    const service = this.service();
    return [
      this.pick(ADD_SERVER),
      ...service,
      ...this.server(service),
      ...this.maybe(0.5, this.pick(['-w', '--weight']), this.number('3')),
      ...this.maybe(0.2, this.pick(['-x', '--u-threshold']), this.number('20')),
      ...this.maybe(0.2, this.pick(['-y', '--l-threshold']), this.number('5')),
      ...(this.chance(0.3) ? this.tunnel() : this.maybe(0.8, this.pick(METHODS))),
    ];
  }

  private deleteServer(): string[] {
    const service = this.service();
    return [this.pick(['-d', '-d', '--delete-server']), ...service, ...this.server(service)];
  }

  private tunnel(): string[] {
    return [
      ...this.maybe(0.9, '-i'),
      ...this.maybe(0.8, '--tun-type', this.pick(['gue', 'gue', 'gre', 'ipip', 'vxlan', ''])),
      ...this.maybe(0.7, '--tun-port', this.number('6080')),
      ...this.maybe(0.4, this.pick(['--tun-nocsum', '--tun-csum', '--tun-remcsum'])),
    ];
  }

  private list(): string[] {
    const words = [this.pick(['-L', '-L', '-L', '-l', '-Ln', '-ln', '-Lnc', '--list'])];
    if (this.chance(0.25)) words.push(...this.service());
    for (let n = Math.floor(this.random() * 4); n > 0; n--) {
      const option = this.pick(LIST_OPTIONS);
      words.push(option, ...(option === '--syncid' ? [this.number('1')] : []));
    }
    return words;
  }

  private startDaemon(): string[] {
    return [
      '--start-daemon',
      this.pick(DAEMONS),
      ...this.maybe(0.9, '--mcast-interface', this.pick(INTERFACES)),
      ...this.maybe(0.3, '--syncid', this.number('5')),
      ...this.maybe(0.3, '--sync-maxlen', this.number('1400')),
      ...this.maybe(0.3, '--mcast-group', this.pick(GROUPS)),
      ...this.maybe(0.3, '--mcast-port', this.number('8849')),
      ...this.maybe(0.3, '--mcast-ttl', this.number('3')),
    ];
  }

  private service(): readonly string[] {
    return this.added.length > 0 && this.chance(0.8) ? this.pick(this.added) : this.newService();
  }

  private newService(): readonly string[] {
    if (this.chance(0.9)) return this.early(SERVICES);
    if (this.chance(0.2)) return ['-f', this.pick(ODD_MARKS), ...this.maybe(0.3, '-6')];
    return [this.pick(['-t', '-u', '--sctp-service']), this.pick(ODD_SERVICES)];
  }

  /** Most often one of the service's address family. */
  private server(service: readonly string[]): string[] {
    const isIpv6 = (words: readonly string[]): boolean => words.some((word) => /^-6|^--ipv6|:.*:/.test(word));
    const alike = SERVERS.filter((server) => isIpv6([server]) === isIpv6(service));
    const usual = this.early(this.chance(0.9) ? alike : SERVERS);
    return [this.pick(['-r', '-r', '--real-server']), this.chance(0.9) ? usual : this.pick(ODD_SERVERS)];
  }

  private scheduler(): string {
    if (this.chance(0.9)) return this.pick(this.schedulers);
    return this.pick(['none', 'bogus', '', 'RR', 'averylongschedulername', 'ip_vs_rr']);
  }

  private number(usual: string): string {
    return this.chance(0.85) ? usual : this.pick(ODD_NUMBERS);
  }

  /** Some words more, fewer or other ones. */
  private spoiled(words: readonly string[]): string[] {
    const at = Math.floor(this.random() * (words.length + 1));
    const before = words.slice(0, at);
    const after = words.slice(at);
    const [next = '', following = '', ...rest] = after;
    switch (
      this.pick(['insert', 'drop', 'double', 'replace', 'attach', 'assign', 'cluster', 'swap'] as const)
    ) {
      case 'insert':
        return [...before, this.pick(STRAY_WORDS), ...after];
      case 'drop':
        return [...before, ...after.slice(1)];
      case 'double':
        return [...before, ...after.slice(0, 2), ...after];
      case 'replace':
        return [...before, this.pick(STRAY_WORDS), ...after.slice(1)];
      case 'attach':
        return [...before, next + following, ...rest];
      case 'assign':
        return [...before, `${next}=${following}`, ...rest];
      case 'cluster':
        return [...before, next + following.replace(/^-/, ''), ...rest];
      case 'swap':
        return [...before, following, next, ...rest];
    }
  }

  /** Text for a restore. */
  private rules(): string {
    const lines = Array.from({ length: Math.floor(this.random() * (RESTORED_MOST + 1)) }, () => this.rule());
    const text = lines.join('\n');
    return lines.length > 0 && this.chance(0.8) ? `${text}\n` : text;
  }

  private rule(): string {
    if (this.chance(0.1))
      return this.pick(['', ' ', '# comment', '-R', 'extra', '"-A" -t 10.0.0.10:80', '-t', '--']);
    const words = [...this.maybe(0.1, 'ipvsadm'), ...this.words()];
    return (
      this.maybe(0.1, ' ').join('') +
      words.join(this.pick([' ', ' ', ' ', '  ', '\t'])) +
      this.maybe(0.1, '\r').join('')
    );
  }

  private chance(probability: number): boolean {
    return this.random() < probability;
  }

  private pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)]!;
  }

  /** Favours the first choices. */
  private early<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() ** 2 * choices.length)]!;
  }

  private maybe(probability: number, ...words: string[]): string[] {
    return this.chance(probability) ? words : [];
  }
}
