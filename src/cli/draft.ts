import { type Address, AF_INET, type Family, ipv4 } from '../core/address.ts';
import { METHOD } from '../core/config.ts';
import type { CommandName } from './commands.ts';
import type { OptionName } from './options.ts';

export const WHOLE_IPV4_MASK = 0xffffffff;
export const WHOLE_IPV6_PREFIX = 128;

/** Everything that a command line can say, with ipvsadm's defaults for what it does not. Filled word by word. */
export class Draft {
  readonly command: CommandName;
  readonly given = new Set<OptionName>();

  family: Family = AF_INET;
  /** 0 before a service was given, and for one that is given by its fwmark until the whole line is read. */
  protocol = 0;
  addr: Address = ipv4(0);
  port = 0;
  fwmark = 0;
  scheduler = '';
  /** Seconds. */
  timeoutSec = 0;
  netmask = WHOLE_IPV4_MASK;
  pe = '';
  schedFlagsText = '';

  destAddr: Address = ipv4(0);
  destPort = 0;
  method: number = METHOD.ROUTE;
  weight = 1;
  upperThreshold = 0;
  lowerThreshold = 0;
  tunnelType: 'ipip' | 'gue' | 'gre' = 'ipip';
  tunnelPort = 0;

  /** One of DAEMON_STATE, or 0. */
  daemonState = 0;
  interface = '';
  syncId = 0;
  maxLen = 0;
  group: Address | undefined = undefined;
  groupPort = 0;
  ttl = 0;

  constructor(command: CommandName) {
    this.command = command;
  }
}
