/** A packet as a file has it. */
export interface ReadPacket {
  readonly bytes: Uint8Array;
  readonly originalLength: number;
  readonly comment: string;
  /** The two lowest bits of its flags. */
  readonly direction: number;
  readonly timestampNs: bigint;
}

export interface ReadFile {
  readonly application: string;
  readonly interfaces: readonly {
    readonly linktype: number;
    readonly name: string;
    readonly resolution: number;
  }[];
  readonly packets: readonly ReadPacket[];
}

type Options = ReadonlyMap<number, Uint8Array>;

/**
 * Reads a little-endian pcapng file block by block, as plainly as can be.
 * @throws Error where the file is not well-formed
 */
export function readPcapng(file: Uint8Array): ReadFile {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const u32 = (at: number): number => view.getUint32(at, true);
  const text = (bytes: Uint8Array | undefined): string =>
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  let application = '';
  const interfaces: ReadFile['interfaces'][number][] = [];
  const packets: ReadPacket[] = [];
  for (let at = 0; at < file.length; ) {
    const type = u32(at);
    const length = u32(at + 4);
    if (length % 4 !== 0 || length < 12 || u32(at + length - 4) !== length) {
      throw new Error(`block at ${at} has a wrong length`);
    }
    const end = at + length - 4;
    if (at === 0 && (type !== 0x0a0d0d0a || u32(8) !== 0x1a2b3c4d)) throw new Error('no section header');
    if (type === 0x0a0d0d0a) {
      application = text(options(view, file, at + 24, end).get(4));
    } else if (type === 1) {
      const found = options(view, file, at + 16, end);
      const linktype = view.getUint16(at + 8, true);
      interfaces.push({ linktype, name: text(found.get(2)), resolution: found.get(9)?.[0] ?? 6 });
    } else if (type === 6) {
      if (u32(at + 8) >= interfaces.length) throw new Error(`block at ${at} is of an unknown interface`);
      const kept = u32(at + 20);
      const found = options(view, file, at + 28 + Math.ceil(kept / 4) * 4, end);
      packets.push({
        bytes: file.slice(at + 28, at + 28 + kept),
        originalLength: u32(at + 24),
        comment: text(found.get(1)),
        direction: (found.get(2)?.[0] ?? 0) & 3,
        timestampNs: (BigInt(u32(at + 12)) << 32n) | BigInt(u32(at + 16)),
      });
    } else {
      throw new Error(`block at ${at} has the unknown type ${type}`);
    }
    at += length;
  }
  return { application, interfaces, packets };
}

function options(view: DataView, file: Uint8Array, from: number, end: number): Options {
  const found = new Map<number, Uint8Array>();
  for (let at = from; ; ) {
    if (at + 4 > end) throw new Error(`options at ${from} have no end`);
    const length = view.getUint16(at + 2, true);
    const code = view.getUint16(at, true);
    if (code === 0) {
      if (length !== 0 || at + 4 !== end) throw new Error(`options at ${from} end too early`);
      return found;
    }
    found.set(code, file.slice(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
}
