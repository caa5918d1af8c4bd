import type { FeatureDisabledError } from '../core/errors.js';
import { httpAnswer } from './answer.js';

/** What a gate needs of Node's `ServerResponse`, whatever a framework has made of it. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  setHeader(name: string, value: string): unknown;
  end(body?: string): unknown;
}

export type Next = (error?: unknown) => void;

/**
 * Calls `next` when the way is open, and otherwise answers.
 * @param ask resolves with what closes the gate.
 */
export async function passOrAnswer(
  ask: () => Promise<FeatureDisabledError | null>,
  response: NodeResponse,
  next: Next,
): Promise<void> {
  try {
    const closed = await ask();
    if (closed !== null) {
      answer(closed, response, next);
      return;
    }
  } catch (error) {
    next(error);
    return;
  }
  next();
}

function answer(closed: FeatureDisabledError, response: NodeResponse, next: Next): void {
  // Somebody else, such as a timeout, was faster. What they have begun only the program itself can end.
  if (response.writableEnded) return;
  if (response.headersSent) {
    next(closed);
    return;
  }
  const { status, headers, body } = httpAnswer(closed);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.statusCode = status;
  response.end(body ?? undefined);
}
