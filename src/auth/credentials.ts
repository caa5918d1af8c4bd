import { isLikeApiKey } from '../core/api-key.js';
import { bounded, shortened } from '../core/text.js';
import { InvalidTokenError } from './caller.js';

/*
 * Where credentials are looked for, and nowhere else is this decided: the header `Authorization` of a request or of a
 * socket's handshake, and the parameter `Authorization` of `connection_init`; for API keys also the header and the parameter
 * `X-API-Key`. Credentials in another usual place are refused
 * with the right place named, because a caller that presented something must never be served as anonymous. Cookies are not
 * looked at: browsers send them unasked.
 */

/** What a caller presented: a token or an API key that is yet to be verified, why it is refused, or null if it presented nothing. */
export type Credential = { readonly token: string } | InvalidTokenError | null;

/** The parts of an HTTP request that can carry credentials. An `IncomingMessage` has them. */
export interface CredentialsOfRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly url?: string | undefined;
}

/** In UTF-16 code units. Attributes alone may have 16,384 bytes, which are a third longer in a token. */
const maxAuthorizationLength = 65_536;
const bearer = bounded(/^Bearer +([\w.~+/=-]+) *$/i, maxAuthorizationLength);
const basic = bounded(/^ *Basic /i, maxAuthorizationLength);

/** The header and the parameter that API keys of ours may be in. Tokens may not. */
const apiKeyHeader = 'x-api-key';
const plainApiKeyHeader = 'xapikey';

/** Headers that other products read credentials from. Beside `Authorization` they are left to a gateway in front. */
const otherHeaders = ['Api-Key', 'ApiKey', 'X-Access-Token', 'X-Auth-Token', 'X-Authorization', 'X-Token', 'Token'].map(
  name => ({ name, key: name.toLowerCase() }),
);

/** Names of parameters that other products read credentials from, as {@link plainName} writes them. */
const otherNames: ReadonlySet<string> = new Set([
  'accesstoken',
  'apikey',
  'authtoken',
  'bearer',
  'bearertoken',
  'idtoken',
  'jwt',
  'token',
  'xaccesstoken',
  'xapikey',
  'xauthorization',
  'xauthtoken',
]);
const longestName = 30;
const separators = bounded(/[-_]/, longestName);

const ofRequest = 'send the header "Authorization: Bearer <token>".';
// A close frame has room for 123 bytes, so what is said on sockets is short.
const ofSocket = 'send connectionParams { "Authorization": "Bearer <token>" }.';
const ofParameters = 'send { "Authorization": "Bearer <token>" }.';

/** The credential of an HTTP request. */
export function credentialOfRequest(request: CredentialsOfRequest): Credential {
  return readRequest(request, 'The header Authorization', ofRequest);
}

/**
 * The credential of the request that opens a WebSocket. Browsers cannot give it headers, but other clients do. What browsers
 * can give it is a list of subprotocols, in which other products read credentials.
 */
export function credentialOfHandshake(request: CredentialsOfRequest): Credential {
  const credential = readRequest(request, 'The header Authorization of the handshake', ofSocket);
  if (credential !== null) return credential;
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(',');
  if (!offered.some(protocol => isLikeCredential(protocol.trim()))) return null;
  return notRead('A credential in Sec-WebSocket-Protocol', ofSocket);
}

/** The credential in the payload of `connection_init`. Names of parameters are taken in any case, as those of headers are. */
export function credentialOfParameters(parameters: unknown): Credential {
  let authorization: Credential = null;
  let apiKey: Credential = null;
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (value === null || value === undefined) continue;
    if (isAuthorization(name)) {
      if (authorization !== null)
        return new InvalidTokenError('The connection parameters have "Authorization" more than once.');
      authorization = readAuthorization(value, '"Authorization" in the connection parameters');
    } else if (plainName(name) === plainApiKeyHeader && typeof value === 'string' && isLikeApiKey(value)) {
      if (apiKey !== null) return new InvalidTokenError('The connection parameters have "X-API-Key" more than once.');
      apiKey = { token: value };
    } else {
      const misplaced = isOtherName(name) ? name : misplacedIn(name, value);
      if (misplaced !== null) return notRead(`"${misplaced}" in the connection parameters`, ofParameters);
    }
  }
  return oneOf(authorization, apiKey, 'The connection parameters "Authorization" and "X-API-Key"');
}

/** The credential of a socket that may have one in each place. */
export function credentialOfSocket(handshake: Credential, parameters: Credential): Credential {
  return oneOf(handshake, parameters, 'The handshake and the connection parameters');
}

/** The credential of two places. @param places for the message, as its subject. */
function oneOf(first: Credential, second: Credential, places: string): Credential {
  if (first === null || second === null) return first ?? second;
  if (first instanceof InvalidTokenError) return first;
  if (second instanceof InvalidTokenError || second.token === first.token) return second;
  return new InvalidTokenError(`${places} have different tokens: send only one of them.`);
}

function readRequest(
  { headers, rawHeaders, url }: CredentialsOfRequest,
  place: string,
  rightPlace: string,
): Credential {
  const inUrl = url === undefined ? null : misplacedInUrl(url);
  if (inUrl !== null) return notRead(`The parameter "${inUrl}" in the URL`, rightPlace);
  const { authorization, [apiKeyHeader]: given } = headers;
  const apiKey = typeof given === 'string' && isLikeApiKey(given) ? { token: given } : null;
  if (authorization !== undefined) {
    // Node.js keeps the first one and drops the others.
    if (isRepeated(rawHeaders)) return new InvalidTokenError(`${place} is given more than once.`);
    return oneOf(readAuthorization(authorization, place), apiKey, 'The headers Authorization and X-API-Key');
  }
  if (apiKey !== null) return apiKey;
  if (given !== undefined) {
    return new InvalidTokenError(`The header X-Api-Key has no key "hly_...": ${rightPlace}`);
  }
  for (const { name, key } of otherHeaders) {
    if (headers[key] !== undefined) return notRead(`The header ${name}`, rightPlace);
  }
  return null;
}

function readAuthorization(value: unknown, place: string): Credential {
  const text = typeof value === 'string' ? value : '';
  const token = bearer.exec(text)?.[1];
  if (token !== undefined) return { token };
  if (text.length > maxAuthorizationLength) {
    const most = maxAuthorizationLength.toLocaleString('en');
    return new InvalidTokenError(
      `${place} has ${text.length.toLocaleString('en')} characters, at most ${most} are allowed.`,
    );
  }
  if (basic.test(text)) return new InvalidTokenError(`${place} has the scheme Basic, expected "Bearer <token>".`);
  return new InvalidTokenError(`${place} is not of the form "Bearer <token>".`);
}

function isRepeated(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (isAuthorization(rawHeaders[i] as string)) count += 1;
  return count > 1;
}

const isAuthorization = (name: string) => name.length === 13 && name.toLowerCase() === 'authorization';

/** Whether this is one of the {@link otherNames}, in any case and with any separators. */
const isOtherName = (name: string) => otherNames.has(plainName(name));

/** The name of a parameter in lower case and without separators; empty where it is longer than any that is known. */
export function plainName(name: string): string {
  if (name.length > longestName) return '';
  const plain = separators.test(name) ? name.replaceAll('-', '').replaceAll('_', '') : name;
  return plain.toLowerCase();
}

/** Where an object inside the parameters, such as `headers`, has credentials: its path. Null: nowhere. */
function misplacedIn(name: string, value: unknown): string | null {
  if (typeof value !== 'object') return null;
  for (const [inner, credential] of Object.entries(value as object)) {
    if (credential === null || credential === undefined) continue;
    if (isCredentialName(inner)) return `${shortened(name, 20)}.${inner}`;
  }
  return null;
}

function misplacedInUrl(url: string): string | null {
  const start = url.indexOf('?');
  if (start === -1) return null;
  for (const name of new URLSearchParams(url.slice(start)).keys()) {
    if (isCredentialName(name)) return name;
  }
  return null;
}

/** Characters of a subprotocol. Registered names are shorter. */
const longestProtocol = 40;
/** How each JSON Web Token begins, and other JSON in base64: `{"`. */
const encodedJson = 'eyJ';

/** Whether an offered subprotocol names a credential, as in `bearer.<token>` and `access_token`, or may be one itself. */
function isLikeCredential(protocol: string): boolean {
  if (protocol.length > longestProtocol || protocol.includes(encodedJson)) return true;
  return protocol.split('.').some(part => [part, part.split('-', 1)[0] ?? ''].some(isCredentialName));
}

const isCredentialName = (name: string) => isAuthorization(name) || isOtherName(name);

const notRead = (what: string, rightPlace: string) => new InvalidTokenError(`${what} is not read: ${rightPlace}`);
