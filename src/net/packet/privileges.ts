import { closeSync, readFileSync } from 'node:fs';
import { DeviceError } from '../device-error.ts';
import { native } from '../ffi/native.ts';
import { uringObstacle } from './io-tier.ts';
import { openNode } from './tun.ts';

/** Bits of capability sets (uapi linux/capability.h). */
const CAPABILITY = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n } as const;

type Capability = keyof typeof CAPABILITY;

/** What this process may do of what the packet plane needs. */
export interface Privileges {
  /** What the packet plane lacks, one line each; empty if it can start. */
  readonly missing: readonly string[];
  /** What keeps packets from io_uring in one line, which the plane can do without; `undefined` if nothing does. */
  readonly uringObstacle: string | undefined;
}

/** Finds out by trying, and leaves nothing behind. */
export function probePrivileges(): Privileges {
  const missing = [...missingCapabilities(readStatus()), ...obstacles(native), ...obstacles(openAndClose)];
  return { missing, uringObstacle: uringObstacle() };
}

/**
 * @param status the text of /proc/self/status
 * @returns capabilities that are needed and not in effect, one line each
 */
export function missingCapabilities(status: string): readonly string[] {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (hex === undefined) return [];
  const effective = BigInt(`0x${hex}`);
  return (Object.keys(CAPABILITY) as Capability[])
    .filter((name) => ((effective >> CAPABILITY[name]) & 1n) === 0n)
    .map((name) => `${name}: ${USES[name]}`);
}

const USES: Readonly<Record<Capability, string>> = {
  CAP_NET_ADMIN: 'to make a TUN device and to lead packets to it',
  CAP_NET_RAW: 'to send packets to gateway and tunnel servers',
};

function readStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'latin1');
  } catch {
    return '';
  }
}

/** @returns the failure of `attempt` as a line, if it fails */
function obstacles(attempt: () => void): readonly string[] {
  try {
    attempt();
    return [];
  } catch (error) {
    if (error instanceof DeviceError) return [error.message];
    throw error;
  }
}

const openAndClose = (): void => closeSync(openNode());
