/** What may stand for an argument: one of these words, something that the shell finds out, or anything. */
export type Choice = readonly string[] | 'anything' | 'command' | 'directory' | 'file' | 'interface';

/** The argument of an option, or a word of a command. */
export interface Argument {
  /** As people call it. */
  readonly label: string;
  readonly choice: Choice;
  readonly optional: boolean;
}

/** An option as completions and manual show it. */
export interface Syntax {
  /** With dashes, short ones first. */
  readonly spellings: readonly string[];
  /** A few words, without a full stop. */
  readonly summary: string;
  readonly argument?: Argument;
}

/** A command of ipvsadm, with the options that it takes. */
export interface CommandSyntax extends Syntax {
  readonly options: readonly Syntax[];
}

/** A verb of uipvs. */
export interface VerbSyntax {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Syntax[];
  /** The words that follow, or `ipvsadm` for a whole command line of that; `undefined` if there are none to offer. */
  readonly words: Choice | 'ipvsadm' | undefined;
}

export const isShort = (spelling: string): boolean => !spelling.startsWith('--');
