/** Longest line of a manual's source. */
const WIDTH = 110;

/** Text as it is. A minus sign stays the one that people type. */
export const plain = (text: string): string =>
  text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('`', '\\(ga');

export const bold = (text: string): string => `\\fB${plain(text)}\\fR`;

/** Roff in which no line ends. */
export const unbroken = (roff: string): string => roff.replaceAll(' ', '\\~');

export const italic = (text: string): string => `\\fI${plain(text)}\\fR`;

/** Text in which `x` is set in bold and <x> in italics. */
export function marked(text: string): string {
  return text
    .split(/(`[^`]*`|<[^>]*>)/)
    .map((part) => {
      if (part.startsWith('`')) return bold(part.slice(1, -1));
      return part.startsWith('<') ? italic(part.slice(1, -1)) : plain(part);
    })
    .join('');
}

/** Lines of running text. A line never begins with what roff takes for a request. */
export function filled(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word.replace(/^[.']/, '\\&$&') : ` ${word}`;
  }
  return [...lines, line];
}

/** A page: title, sections; `name` in small letters. */
export function page(name: string, section: number, lines: readonly string[]): string {
  const head = [
    `.\\" Made by 'npm run docs' from the program's tables.`,
    `.TH ${name.toUpperCase()} ${section} "" uipvs "System Administration"`,
    '.\\" Options and paths are not to be broken, nor lines to be stretched.',
    '.nh',
    '.ad l',
  ];
  return `${[...head, ...lines].join('\n')}\n`;
}

export const section = (title: string, ...lines: readonly string[]): string[] => [`.SH ${title}`, ...lines];

/** Paragraphs; each one text for `marked`. */
export const paragraphs = (...texts: readonly string[]): string[] =>
  texts.flatMap((text) => ['.PP', ...filled(marked(text))]);

/** A term, in roff, and what it means, as text for `marked`. */
export const entry = (term: string, meaning: string): string[] => ['.TP', term, ...filled(marked(meaning))];

/** Lines of the screen. */
export const example = (...lines: readonly string[]): string[] => [
  '.PP',
  '.RS 4',
  '.EX',
  ...lines.map((line) => plain(line).replace(/^[.']/, '\\&$&')),
  '.EE',
  '.RE',
];

/** A sentence of a few words that lack their capital and, mostly, their full stop. */
export const sentence = (text: string): string =>
  `${text[0]?.toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
