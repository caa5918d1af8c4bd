import type { ServerResponse } from 'node:http';
import { shortened } from '../../../core/text.js';
import { sendJson } from '../../http/send.js';

/** The codes of OpenFeature that are used, by those of Halyard. All others are GENERAL. */
const errorCodes: Readonly<Record<string, string>> = {
  BAD_REQUEST: 'PARSE_ERROR',
  BAD_USER_INPUT: 'INVALID_CONTEXT',
  FLAG_NOT_FOUND: 'FLAG_NOT_FOUND',
};

/**
 * Answers with an error, in the one form that every provider can read: some fail over a status without JSON, and over JSON
 * without one of these members.
 * @param rest the key of the flag as it stands in the path; empty where the request names none.
 */
export function refuse(response: ServerResponse, status: number, code: string, message: string, rest = ''): void {
  response.appendHeader('vary', 'Authorization');
  sendJson(response, status, {
    key: shortened(keyOf(rest)),
    errorCode: errorCodes[code] ?? 'GENERAL',
    errorDetails: message,
    metadata: { halyardCode: code },
  });
}

/** The key of a flag in a path. What is not encoded well counts as it is: no flag has such a key. */
export function keyOf(rest: string): string {
  try {
    return decodeURIComponent(rest);
  } catch {
    return rest;
  }
}

/** Answers a request whose method is another than the only one. */
export function refuseMethod(response: ServerResponse, allowed: 'GET' | 'POST', rest = ''): void {
  response.setHeader('allow', `${allowed}, OPTIONS`);
  refuse(response, 405, 'METHOD_NOT_ALLOWED', `Only ${allowed} is answered here.`, rest);
}
