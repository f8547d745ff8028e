import type { ArgumentKind } from './options.ts';

/** What the reader has to know of an option. */
export interface Readable {
  readonly long: string;
  readonly short?: string | readonly string[];
  readonly argument: ArgumentKind;
}

export type ReadResult<T extends Readable> =
  /** `word` is the word read last: what popt calls the bad option. `value` is absent where no argument was given. */
  | { readonly kind: 'option'; readonly option: T; readonly word: string; readonly value: string | undefined }
  | { readonly kind: 'fault'; readonly word: string; readonly reason: FaultReason }
  | { readonly kind: 'end' };

type FaultReason = 'missing argument' | 'unknown option' | 'option does not take an argument';

/** Options by their spellings. */
export class OptionIndex<T extends Readable> {
  readonly byLong: ReadonlyMap<string, T>;
  readonly byShort: ReadonlyMap<string, T>;

  constructor(options: readonly T[]) {
    this.byLong = new Map(options.map((option) => [option.long, option]));
    this.byShort = new Map(options.flatMap((option) => shortNames(option).map((short) => [short, option])));
  }
}

/**
 * Reads words as libpopt does: options in any place, words that are none put aside, `--` ends the options, short
 * options in clusters, arguments attached, after `=` or in the next word. Long names are never abbreviated.
 */
export class OptionReader<T extends Readable> {
  /** Words that belong to no option, in their order. Complete once `next` has said `end`. */
  readonly leftover: string[] = [];
  private readonly words: readonly string[];
  private readonly index: OptionIndex<T>;
  private at = 0;
  /** The cluster being read, and what is left of it. */
  private clusterWord = '';
  private cluster = '';

  constructor(words: readonly string[], index: OptionIndex<T>) {
    this.words = words;
    this.index = index;
  }

  next(): ReadResult<T> {
    if (this.cluster !== '') return this.readShort();
    while (this.at < this.words.length) {
      const word = this.words[this.at++]!;
      if (!word.startsWith('-') || word === '-') {
        this.leftover.push(word);
      } else if (word === '--') {
        this.leftover.push(...this.words.slice(this.at));
        this.at = this.words.length;
      } else if (word.startsWith('--')) {
        return this.readLong(word);
      } else {
        this.clusterWord = word;
        this.cluster = word.slice(1);
        return this.readShort();
      }
    }
    return { kind: 'end' };
  }

  private readLong(word: string): ReadResult<T> {
    const equals = word.indexOf('=');
    const option = this.index.byLong.get(word.slice(2, equals < 0 ? undefined : equals));
    if (!option) return { kind: 'fault', word, reason: 'unknown option' };
    const attached = equals < 0 ? undefined : word.slice(equals + 1);
    if (option.argument !== 'none') return this.withArgument(option, word, attached);
    if (attached !== undefined) return { kind: 'fault', word, reason: 'option does not take an argument' };
    return { kind: 'option', option, word, value: undefined };
  }

  private readShort(): ReadResult<T> {
    const word = this.clusterWord;
    const option = this.index.byShort.get(this.cluster[0]!);
    const rest = this.cluster.slice(1);
    this.cluster = '';
    if (!option) return { kind: 'fault', word, reason: 'unknown option' };
    if (option.argument !== 'none') {
      const attached = rest === '' ? undefined : rest.startsWith('=') ? rest.slice(1) : rest;
      return this.withArgument(option, word, attached);
    }
    if (rest.startsWith('=')) return { kind: 'fault', word, reason: 'option does not take an argument' };
    this.cluster = rest;
    return { kind: 'option', option, word, value: undefined };
  }

  private withArgument(option: T, word: string, attached: string | undefined): ReadResult<T> {
    if (attached !== undefined) return { kind: 'option', option, word, value: attached };
    const next = this.words[this.at];
    const taken = next !== undefined && (option.argument === 'required' || !next.startsWith('-'));
    if (taken) {
      this.at++;
      return { kind: 'option', option, word: next, value: next };
    }
    if (option.argument === 'required') return { kind: 'fault', word, reason: 'missing argument' };
    return { kind: 'option', option, word, value: undefined };
  }
}

function shortNames(option: Readable): readonly string[] {
  if (option.short === undefined) return [];
  return typeof option.short === 'string' ? [option.short] : option.short;
}
