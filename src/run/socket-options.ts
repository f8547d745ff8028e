import { E } from './abi.ts';
import type { ClientMemory, MemoryAccess } from './client-memory.ts';
import { Lost } from './director-link.ts';
import { type DirectorTexts, failure } from './director-texts.ts';
import type { Call, Listener } from './listener.ts';
import { u32 } from './message-header.ts';
import { commandOf, optionValue } from './sockopt.ts';
import { GET_LENGTHS, SET_LENGTHS, SOCKOPT_BASE } from './sockopt-abi.ts';

/** No table is larger. */
const MAX_OPTION_BYTES = 64 << 20;

/** The socket options by which programs spoke to IPVS before it had a netlink family. */
export class SocketOptions {
  private readonly listener: Listener;
  private readonly texts: DirectorTexts;
  private readonly memories: MemoryAccess;

  constructor(listener: Listener, texts: DirectorTexts, memories: MemoryAccess) {
    this.listener = listener;
    this.texts = texts;
    this.memories = memories;
  }

  /** setsockopt(fd, IPPROTO_IP, IP_VS_SO_SET_*, ...). */
  set(call: Call): Promise<boolean> {
    const [, , name = 0, address = 0, length = 0] = call.args;
    const option = name - SOCKOPT_BASE;
    return this.answer(call, async (memory) => {
      if (length !== SET_LENGTHS[option]) return -E.EINVAL;
      const command = commandOf(option, memory.read(address, length));
      if (typeof command === 'number') return command;
      await (await this.texts.director()).apply(command);
      return 0;
    });
  }

  /** getsockopt(fd, IPPROTO_IP, IP_VS_SO_GET_*, ...). */
  get(call: Call): Promise<boolean> {
    const [, , name = 0, address = 0, lengthAt = 0] = call.args;
    const option = name - SOCKOPT_BASE;
    return this.answer(call, async (memory) => {
      const length = memory.read(lengthAt, 4).readUInt32LE(0);
      const least = GET_LENGTHS[option];
      if (least === undefined || length < least || length > MAX_OPTION_BYTES) return -E.EINVAL;
      const value = await optionValue(await this.texts.director(), option, memory.read(address, length));
      if (typeof value === 'number') return value;
      // The director's answer took its time.
      if (!this.listener.isWaiting(call)) return 0;
      memory.write(address, value);
      if (option === 0) memory.write(lengthAt, u32(value.length));
      return 0;
    });
  }

  private async answer(call: Call, perform: (memory: ClientMemory) => Promise<number>): Promise<boolean> {
    const memory = this.memories.of(call.tid);
    try {
      if (!this.listener.isWaiting(call)) return true;
      this.listener.answer(call, await perform(memory));
    } catch (error) {
      // The kernel without IPVS knows no such options.
      const errno = error instanceof Lost && !error.isUncertain ? -E.ENOPROTOOPT : failure(error);
      this.listener.answer(call, errno);
    } finally {
      memory.close();
    }
    return true;
  }
}
