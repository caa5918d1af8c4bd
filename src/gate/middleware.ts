import type { FeatureDisabledError } from '../core/errors.js';
import { httpAnswer } from './answer.js';

/** The part of Node's `ServerResponse` that a gate needs. Frameworks extend it. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  setHeader(name: string, value: string): unknown;
  end(body?: string): unknown;
}

export type Next = (error?: unknown) => void;

/**
 * Calls `next` if the gate is open, and otherwise answers.
 * @param ask resolves with the error that the gate answers with; null if the gate is open.
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
  // Other code, such as a timeout, answered first. Only the program can finish an answer that other code began.
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
