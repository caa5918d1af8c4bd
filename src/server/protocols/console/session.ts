import { z } from 'zod';
import type { TokenKeys } from '../../../auth/keys.js';
import { codeLife, readCode } from '../../../auth/sign-in-codes.js';
import { mintToken, type TokenRequest } from '../../../auth/token.js';
import { Attempts } from '../../http/attempts.js';
import type { Exchange, Route } from '../../http/route.js';
import { sendError, sendJson } from '../../http/send.js';
import { maskError, reportTo } from '../../operations/mask-error.js';
import type { JsonBodies } from '../json-bodies.js';

export interface SessionOptions {
  /** The keys that verify tokens. Secrets sign them too. */
  readonly keys: TokenKeys;
  /** What tokens must have, beside the role and the user. */
  readonly claims: Pick<TokenRequest, 'issuer' | 'audience' | 'claims'>;
  /** Notes that a code is used. False: it was used before, on any node. */
  readonly useCode: (id: string) => Promise<boolean>;
}

export interface SessionRouteOptions extends SessionOptions {
  readonly bodies: JsonBodies;
  /** Codes that one address may send in a minute. */
  readonly codesPerMinute: number;
}

const maxCodeLength = 2_000;
const bodyForm = z.strictObject({ code: z.string().min(1).max(maxCodeLength) });
const runAgain = 'Run "halyard console" again.';

/** Exchanges a code of `halyard console` for a token, once. */
export function createSessionRoute(path: string, options: SessionRouteOptions): Route {
  const { keys, claims, useCode, bodies } = options;
  const attempts = new Attempts(options.codesPerMinute);

  /** They are read anew: the file that has them may have changed. Null: only an identity provider signs tokens. */
  async function readSecrets(): Promise<readonly Uint8Array[] | null> {
    return keys.kind === 'secret' ? ((await keys.reread?.()) ?? keys.secrets) : null;
  }

  async function exchange({ response, log }: Exchange, text: string): Promise<void> {
    const body = bodyForm.safeParse(parsed(text));
    if (!body.success) {
      return sendError(response, 400, 'BAD_REQUEST', 'The body is not of the form {"code": "<code>"}.');
    }
    const secrets = await readSecrets();
    const [secret] = secrets ?? [];
    if (secrets === null || secret === undefined) {
      const message =
        'Only the identity provider signs tokens here: sign in with one of its tokens, or with an API key.';
      return sendError(response, 403, 'FORBIDDEN', message);
    }
    const code = await readCode(secrets, body.data.code);
    if (code === null) {
      const message = `The code is not valid, or older than ${codeLife} seconds. ${runAgain}`;
      return sendError(response, 401, 'UNAUTHENTICATED', message);
    }
    if (!(await useCode(code.id))) {
      log.warn('A code for the console was sent a second time, and is refused.');
      return sendError(response, 401, 'UNAUTHENTICATED', `The code was used before: each counts once. ${runAgain}`);
    }
    const { userId, expiresInSeconds } = code;
    const token = await mintToken(secret, { ...claims, role: 'ADMIN', userId, expiresInSeconds });
    log.info('An admin signed in to the console with a code.');
    sendJson(response, 200, { token });
  }

  return {
    path,
    method: 'any',
    caller: 'anybody',
    async handle(sent) {
      const { request, response, address } = sent;
      // The console has the origin of this server: no page of another one is to read a token.
      response.removeHeader('access-control-allow-origin');
      response.setHeader('cache-control', 'no-store');
      if (request.method !== 'POST') {
        response.setHeader('allow', 'POST, OPTIONS');
        return sendError(response, 405, 'METHOD_NOT_ALLOWED', 'Only POST is answered here.');
      }
      if (!attempts.take(address)) {
        response.setHeader('retry-after', '60');
        return sendError(
          response,
          429,
          'TOO_MANY_REQUESTS',
          'This address has sent too many codes. Try again in a minute.',
        );
      }
      try {
        const text = await bodies.read(sent, sendError);
        if (text !== null) await exchange(sent, text);
      } catch (error) {
        if (response.headersSent) throw error;
        const { message, extensions } = maskError(error, reportTo(sent.log));
        const isUnavailable = extensions['code'] === 'UNAVAILABLE';
        if (isUnavailable) response.setHeader('retry-after', '5');
        sendError(response, isUnavailable ? 503 : 500, String(extensions['code']), message);
      }
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
