/** A rule may be given with the name of the program in front. */
const PROGRAM = 'ipvsadm';

/**
 * Splits the input of a restore into lines and these into words, as they arrive. Words are separated by blanks, tabs
 * and carriage returns; quotes and comments mean nothing; the program's name is dropped wherever it stands; lines
 * without a word are left out. A last line without its newline counts, unless two separators or more end it: that one the
 * real program never sees.
 */
export async function* restoreLines(chunks: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  let pending = '';
  for await (const chunk of chunks) {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop()!;
    yield* lines.map(wordsOf).filter((words) => words.length > 0);
  }
  const last = /[ \t\r]{2}$/.test(pending) ? [] : wordsOf(pending);
  if (last.length > 0) yield last;
}

function wordsOf(line: string): readonly string[] {
  return line.split(/[ \t\r]+/).filter((word) => word !== '' && word !== PROGRAM);
}
