import { describe, expect, it } from 'vitest';
import { InvalidTokenError } from '../../src/auth/caller.js';
import { credentialOfParameters, credentialOfRequest, credentialOfSocket } from '../../src/auth/credentials.js';

/** A request with one header `Authorization`, as Node.js shows it. */
const requestWith = (authorization?: string, url = '/graphql') =>
  authorization === undefined
    ? { headers: {}, rawHeaders: [], url }
    : { headers: { authorization }, rawHeaders: ['Authorization', authorization], url };

describe('the credential of a request', () => {
  it('is the token after "Bearer", in any case', () => {
    expect(credentialOfRequest(requestWith('Bearer a.b.c'))).toEqual({ token: 'a.b.c' });
    expect(credentialOfRequest(requestWith('bearer  a.b.c '))).toEqual({ token: 'a.b.c' });
  });

  it('is null where nothing is presented', () => {
    expect(credentialOfRequest(requestWith())).toBeNull();
    expect(credentialOfRequest(requestWith(undefined, '/graphql?query={tokens}&tokens=1'))).toBeNull();
  });

  it.each(['', ' ', 'Bearer', 'Bearer ', 'token', 'Bearer a b', 'Bearer a, Bearer b'])(
    'is refused in the header "%s"',
    header => {
      const refusal = credentialOfRequest(requestWith(header));
      expect(refusal).toBeInstanceOf(InvalidTokenError);
      expect(refusal).toMatchObject({ message: 'The header Authorization is not of the form "Bearer <token>".' });
    },
  );

  it('is refused without a look at it where the header is longer than any token', () => {
    expect(credentialOfRequest(requestWith(`Bearer ${'a'.repeat(65_529)}`))).toHaveProperty('token');
    expect(credentialOfRequest(requestWith(`Bearer ${'a'.repeat(65_530)}`))).toMatchObject({
      message: 'The header Authorization has 65,537 characters, at most 65,536 are allowed.',
    });
  });

  it.each(['access_token', 'ACCESS-TOKEN', 'accessToken', 'id_token', 'jwt', 'api_key', 'authorization', '%74oken'])(
    'is refused in the URL as %s',
    name => {
      const refusal = credentialOfRequest(requestWith('Bearer a', `/graphql?a=1&${name}=hunter2`));
      expect(refusal).toMatchObject({ message: expect.stringContaining(`"${decodeURIComponent(name)}" in the URL`) });
    },
  );
});

describe('the credential of a socket', () => {
  it.each<[string, unknown]>([
    ['no parameters', undefined],
    ['null', null],
    ['an empty object', {}],
    ['empty values', { token: null, authorization: undefined, headers: null }],
    ['an empty object of headers', { headers: {} }],
    ['parameters that only look alike', { tokens: 1, tokenizer: 'x', ['x'.repeat(40)]: 'x' }],
  ])('is null for %s', (_name, parameters) => {
    expect(credentialOfParameters(parameters)).toBeNull();
  });

  it.each(['token', 'authToken', 'auth_token', 'accessToken', 'access_token', 'jwt', 'idToken', 'apiKey', 'x-api-key'])(
    'is refused as the parameter %s, there and one level down',
    name => {
      const advice = 'send { "Authorization": "Bearer <token>" }.';
      const within = 'in the connection parameters is not read';
      expect(credentialOfParameters({ [name]: 'x' })).toMatchObject({ message: `"${name}" ${within}: ${advice}` });
      expect(credentialOfParameters({ auth: { [name]: 'x' } })).toMatchObject({
        message: `"auth.${name}" ${within}: ${advice}`,
      });
    },
  );

  it('says no more than a close frame has room for', () => {
    const odd = credentialOfParameters({ connection: { 'x-authorization': 'x' } }) as InvalidTokenError;
    expect(Buffer.byteLength(odd.message)).toBeLessThanOrEqual(123);
  });

  it('is the refused one where one of two is refused', () => {
    const refusal = new InvalidTokenError('no');
    expect(credentialOfSocket(refusal, { token: 'a' })).toBe(refusal);
    expect(credentialOfSocket({ token: 'a' }, refusal)).toBe(refusal);
    expect(credentialOfSocket(null, refusal)).toBe(refusal);
    expect(credentialOfSocket({ token: 'a' }, { token: 'a' })).toEqual({ token: 'a' });
    expect(credentialOfSocket({ token: 'a' }, { token: 'b' })).toBeInstanceOf(InvalidTokenError);
  });
});
