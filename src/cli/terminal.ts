/** Where text goes. */
export interface Output {
  write(text: string): unknown;
  /** Whether a person reads it as it comes. */
  readonly isTTY?: boolean;
}

export interface Terminal {
  readonly output: Output;
  readonly errors: Output;
}
