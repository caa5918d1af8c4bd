/** A stream for text. */
export interface Output {
  write(text: string): unknown;
  /** Whether it is a terminal, which a person reads. */
  readonly isTTY?: boolean;
}

export interface Terminal {
  readonly output: Output;
  readonly errors: Output;
}
