import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sysctl } from '../core/commands.ts';

/** In memory, as /proc; such directories begin with '.' and '..', which some programs rely on. */
const MEMORY = '/dev/shm';

/** A directory with a file for each setting, for programs that list /proc/sys/net/ipv4/vs. */
export class SettingsMirror {
  private dir: string | undefined;

  /** Writes the settings anew. @returns the directory */
  refresh(settings: readonly Sysctl[]): string {
    this.dir ??= mkdtempSync(join(place(), 'uipvs-run-'));
    chmodSync(this.dir, 0o755);
    const path = join(this.dir, 'vs');
    mkdirSync(path, { recursive: true, mode: 0o755 });
    // The newest file is listed first.
    for (const { name, value } of settings.toReversed()) writeFileSync(join(path, name), `${value}\n`);
    return path;
  }

  remove(): void {
    if (this.dir !== undefined) rmSync(this.dir, { recursive: true, force: true });
  }
}

function place(): string {
  try {
    accessSync(MEMORY, constants.W_OK);
    return MEMORY;
  } catch {
    return tmpdir();
  }
}
