/** What is asked: one user, one flag, and attributes that the server does not know. */
export interface Question {
  readonly userId: string;
  readonly flagKey: string;
  /** Null: those that are stored. */
  readonly attributes: Record<string, unknown> | null;
}
