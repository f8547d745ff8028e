/** A fenced block of a Markdown text. */
export interface DocBlock {
  /** The words behind the fence: language first. */
  readonly words: readonly string[];
  readonly text: string;
  /** Of its first line, from 1. */
  readonly line: number;
}

/** @returns the fenced blocks of a Markdown text, in order @throws Error if the last one has no end */
export function docBlocks(markdown: string): DocBlock[] {
  const blocks: DocBlock[] = [];
  let open: { words: string[]; line: number; lines: string[] } | undefined;
  for (const [i, line] of markdown.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line)?.[1];
    if (fence === undefined) open?.lines.push(line);
    else if (!open) open = { words: fence.trim().split(/\s+/), line: i + 2, lines: [] };
    else {
      blocks.push({
        words: open.words,
        line: open.line,
        text: open.lines.map((each) => `${each}\n`).join(''),
      });
      open = undefined;
    }
  }
  if (open) throw new Error(`the block at line ${open.line} has no end`);
  return blocks;
}
