import { PROTOCOL, type Timeouts } from './config.ts';
import { IpvsError } from './errors.ts';
import { SCTP_TIMEOUTS_SEC } from './sctp.ts';
import { TCP_STATE, TCP_TIMEOUTS_SEC } from './tcp.ts';

const { TCP, UDP } = PROTOCOL;

/** Largest timeout in seconds that the kernel's clock of 100 ticks a second carries. */
const MAX_SEC = 21_474_836;
const UDP_SEC = 300;
/** What an entry of any other protocol starts with. */
const OTHER_SEC = 900;

/** Timeouts by protocol and state, in seconds; three of them can be set (ip_vs_set_timeout). */
export class StateTimeouts {
  private readonly tcp = Int32Array.from(TCP_TIMEOUTS_SEC);
  private udpSec = UDP_SEC;

  of(protocol: number, state: number): number {
    if (protocol === TCP) return this.tcp[state]!;
    if (protocol === UDP) return this.udpSec;
    return protocol === PROTOCOL.SCTP ? SCTP_TIMEOUTS_SEC[state]! : OTHER_SEC;
  }

  read(): Timeouts {
    return {
      tcpSec: this.tcp[TCP_STATE.ESTABLISHED]!,
      tcpFinSec: this.tcp[TCP_STATE.FIN_WAIT]!,
      udpSec: this.udpSec,
    };
  }

  /** 0 keeps a value. @throws IpvsError EINVAL, and nothing is changed then */
  set({ tcpSec, tcpFinSec, udpSec }: Timeouts): void {
    if ([tcpSec, tcpFinSec, udpSec].some((sec) => sec < 0 || sec > MAX_SEC)) {
      throw new IpvsError('EINVAL', `a timeout is from 0 to ${MAX_SEC} seconds`);
    }
    if (tcpSec) this.tcp[TCP_STATE.ESTABLISHED] = tcpSec;
    if (tcpFinSec) this.tcp[TCP_STATE.FIN_WAIT] = tcpFinSec;
    if (udpSec) this.udpSec = udpSec;
  }
}
