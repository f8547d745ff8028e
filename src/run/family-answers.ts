import { HEADER_LEN, TYPE, u16At, viewOf } from '../netlink/wire.ts';
import { isFamilyQuestion } from './datagrams.ts';

/** Where a header has its sequence number and port, and where an error message repeats its request's header. */
const SEQ = 8;
const ECHO = HEADER_LEN + 4;
/** Programs ask in a few forms. */
const MAX_FORMS = 16;

/**
 * Answers to the questions for the family's number, which programs on libnl ask before each command; one director gives
 * always the same.
 */
export class FamilyAnswers {
  private readonly byQuestion = new Map<string, readonly Uint8Array[]>();
  private generation = 0;

  /** @returns the datagrams for this question; `undefined` if it has not been answered over this connection. */
  find(question: Uint8Array, generation: number): Uint8Array[] | undefined {
    if (generation !== this.generation || !isFamilyQuestion(question)) return undefined;
    return this.byQuestion.get(formOf(question))?.map((answer) => readdressed(answer, question));
  }

  add(question: Uint8Array, generation: number, answer: readonly Uint8Array[]): void {
    if (!isFamilyQuestion(question)) return;
    if (generation !== this.generation || this.byQuestion.size >= MAX_FORMS) this.byQuestion.clear();
    this.generation = generation;
    this.byQuestion.set(
      formOf(question),
      answer.map((datagram) => Uint8Array.from(datagram)),
    );
  }
}

/** The question without its sequence number and port. */
const formOf = (question: Uint8Array): string =>
  Buffer.from(question.subarray(0, SEQ)).toString('latin1') +
  Buffer.from(question.subarray(HEADER_LEN)).toString('latin1');

function readdressed(answer: Uint8Array, question: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(answer);
  const seq = viewOf(question).getUint32(SEQ, true);
  viewOf(copy).setUint32(SEQ, seq, true);
  if (u16At(copy, 4) === TYPE.ERROR) copy.set(question.subarray(SEQ, HEADER_LEN), ECHO + SEQ);
  return copy;
}
