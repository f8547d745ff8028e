/** Where a verb's words go. */
export interface Terminal {
  /** Resolves when more may be printed. */
  print(text: string): Promise<void>;
  /** One line for people, without the program's name. */
  complain(line: string): void;
}
