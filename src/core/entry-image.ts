import { type Address, AF_INET, AF_INET6, type Family } from './address.ts';
import { CONN_FLAG } from './conn-flags.ts';
import type { Connections } from './connections.ts';
import { WORD } from './entry-records.ts';
import type { ConnId } from './flow.ts';
import type { SequenceShifts, SyncRecord } from './sync-record.ts';

/** The engine of every template that keeps data. */
const ENGINE = 'sip';

class AddressImage implements Address {
  family: Family = AF_INET;
  readonly words: [number, number, number, number] = [0, 0, 0, 0];
}

/** An entry as a record for other directors: one image shows one entry after the other, without any new object. */
export class EntryImage implements SyncRecord {
  protocol = 0;
  flags = 0;
  state = 0;
  cport = 0;
  vport = 0;
  dport = 0;
  fwmark = 0;
  timeoutSec = 0;
  readonly caddr = new AddressImage();
  readonly vaddr = new AddressImage();
  readonly daddr = new AddressImage();
  sequences: SequenceShifts | undefined;
  peName = '';
  peData = '';

  /** Shows an entry as it is; its three addresses must be of one family. */
  show(conns: Connections, id: ConnId): void {
    this.protocol = conns.protocol(id);
    this.flags = conns.flags(id) & ~CONN_FLAG.PROXIED;
    this.state = conns.state(id);
    this.cport = conns.cport(id);
    this.vport = conns.vport(id);
    this.dport = conns.dport(id);
    this.fwmark = conns.fwmark(id);
    this.timeoutSec = conns.timeoutSec(id);
    const family = conns.isV6(id) ? AF_INET6 : AF_INET;
    this.caddr.family = family;
    this.vaddr.family = family;
    this.daddr.family = family;
    conns.copyAddress(id, WORD.CADDR, this.caddr.words);
    conns.copyAddress(id, WORD.VADDR, this.vaddr.words);
    conns.copyAddress(id, WORD.DADDR, this.daddr.words);
    this.sequences = conns.sequences.size === 0 ? undefined : conns.sequences.get(id);
    this.peData = conns.peData.size === 0 ? '' : (conns.peData.get(id) ?? '');
    this.peName = this.peData === '' ? '' : ENGINE;
  }
}
