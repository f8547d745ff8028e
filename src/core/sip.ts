/** Longest Call-ID that is kept, bytes. */
const MAX_LENGTH = 255;

/** Characters of a `word` (RFC 3261 section 25.1). */
const WORD = String.raw`[\w.!%*+\`'~()<>:\\"/[\]?{}-]+`;

/** The header at the start of a line, by its long or compact name, with a value that ends the line. */
const CALL_ID = new RegExp(String.raw`[\r\n](?:call-id|i)[ \t]*:[ \t]*(${WORD}(?:@${WORD})?)[\r\n]`, 'i');

/**
 * What the persistence engine `sip` tells calls apart by: the value of the Call-ID header.
 * @param payload of a UDP datagram, one character a byte
 * @returns `undefined` if there is none, or none of at most 255 bytes
 */
export function callIdOf(payload: string): string | undefined {
  const value = CALL_ID.exec(payload)?.[1];
  return value !== undefined && value.length <= MAX_LENGTH ? value : undefined;
}
