import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { jwtVerify, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { anonymous, type Caller, hasExpired, InvalidTokenError } from '../../src/auth/caller.js';
import { mintToken } from '../../src/auth/token.js';
import { createVerifier } from '../../src/auth/verifier.js';
import { type ApiKey, apiKeySecret } from '../../src/core/api-key.js';
import { UnavailableError } from '../../src/core/errors.js';
import { silentLog } from '../../src/core/log.js';
import { type Answer, type JwksServer, startJwksServer } from '../support/jwks-server.js';
import { until } from '../support/wait.js';

const secret = new TextEncoder().encode('0123456789abcdef0123456789abcdef');
const user = '5b0ed6f2-6f0c-4b9a-9b50-0a4f4c7f9d11';
const soon = () => Math.floor(Date.now() / 1000) + 60;
const sign = (payload: object, key: Uint8Array = secret, alg = 'HS256') =>
  new SignJWT({ ...payload }).setProtectedHeader({ alg }).sign(key);

/** A token by hand, for payloads that no library would sign. */
function signRaw(payload: string, header = '{"alg":"HS256"}'): string {
  const body = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

describe('a verifier with a secret', () => {
  it('accepts the tokens that the library accepts, however they are damaged', async () => {
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [secret] } });
    const alphabet = 'abcXYZ019-_.=+/ \n';
    const outcomes = new Set<boolean>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          '{"alg":"HS256"}',
          '{"alg":"HS256","typ":"JWT"}',
          '{"typ":"JWT","alg":"HS256"}',
          '{"alg":"none"}',
        ),
        fc.constantFrom(`{"sub":"${user}","exp":${soon() + 600}}`, `{"sub":"${user}","exp":1}`, '[]', '{"exp":"soon"}'),
        fc.array(fc.record({ at: fc.nat(), text: fc.constantFrom(...alphabet, ''), cut: fc.nat(1) }), { maxLength: 2 }),
        async (header, payload, damages) => {
          let token = signRaw(payload, header);
          for (const { at, text, cut } of damages) {
            const place = at % (token.length + 1);
            token = token.slice(0, place) + text + token.slice(place + cut);
          }
          const accepted = (promise: Promise<unknown>) => promise.then(() => true).catch(() => false);
          const byLibrary = await accepted(
            jwtVerify(token, secret, { algorithms: ['HS256'], requiredClaims: ['exp'] }),
          );
          expect(await accepted(verifier.verify({ token }))).toBe(byLibrary);
          outcomes.add(byLibrary);
        },
      ),
      { numRuns: 2_000 },
    );
    expect(outcomes.size).toBe(2);
  });
});

describe('a verifier with several secrets', () => {
  const [old, fresh] = ['old', 'fresh'].map(name => new TextEncoder().encode(name.padEnd(32, '-'))) as [
    Uint8Array,
    Uint8Array,
  ];

  it('takes what any of them signed, and says of a token of one of them what else is wrong', async () => {
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [fresh, old] } });
    for (const key of [old, fresh]) {
      expect(await verifier.verify({ token: await sign({ sub: user, exp: soon() }, key) })).toMatchObject({
        userId: user,
      });
      const expired = verifier.verify({ token: await sign({ sub: user, exp: soon() - 120 }, key) });
      await expect(expired).rejects.toThrow(/expired/);
    }
    const foreign = verifier.verify({ token: await sign({ sub: user, exp: soon() }, secret) });
    await expect(foreign).rejects.toThrow(/signature of the token is not valid/);
  });

  it('reads them again, and forgets what a secret signed that has left', async () => {
    const lines: string[] = [];
    const note = (_fields: object, message: string) => void lines.push(message);
    const log = { ...silentLog, warn: note, info: note };
    let stored: readonly Uint8Array[] | Error = [old];
    const reread = async () => {
      if (stored instanceof Error) throw stored;
      return stored;
    };
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [old], reread }, log });
    const token = await sign({ sub: user, exp: soon() }, old);
    const caller = await verifier.verify({ token });
    let left = 0;
    const cancel = verifier.whenKeyLeaves(caller, () => {
      left += 1;
    });
    stored = new Error('The file is damaged.');
    await until(() => lines.length > 0, 'the fault is told');
    expect(await verifier.verify({ token })).toMatchObject({ userId: user });
    stored = [fresh, old];
    await until(() => lines.some(line => /have changed/.test(line)), 'the change is told');
    const next = await sign({ sub: 'next', exp: soon() }, fresh);
    expect(await verifier.verify({ token: next })).toMatchObject({ userId: 'next' });
    expect(await verifier.verify({ token })).toMatchObject({ userId: user });
    expect(left).toBe(0);
    stored = [fresh];
    await until(() => left === 1, 'the secret has left, without a request');
    await expect(verifier.verify({ token })).rejects.toThrow(/signature of the token is not valid/);
    expect(await verifier.verify({ token: next })).toMatchObject({ userId: 'next' });
    cancel();
    expect(lines).toEqual([
      'The secrets that verify tokens cannot be read again. Those that were read last stay.',
      'The secrets that verify tokens can be read again.',
      'The secrets that verify tokens have changed.',
      'The secrets that verify tokens have changed.',
    ]);
  });
});

describe('a verifier with a shared secret', () => {
  const verifier = createVerifier({ keys: { kind: 'secret', secrets: [secret] } });

  it('takes the absence of a credential as anonymous', async () => {
    expect(await verifier.verify(null)).toBe(anonymous);
  });

  it.each([
    ['a plain user', { sub: user }, { role: 'USER', userId: user, attributes: {} }],
    ['a user in upper case, made canonical', { sub: user.toUpperCase() }, { role: 'USER', userId: user }],
    ['a service without a user', { role: 'service' }, { role: 'SERVICE', userId: null }],
    ['a reader without a user', { role: 'reader' }, { role: 'READER', userId: null }],
    ['an admin without a user', { role: 'admin' }, { role: 'ADMIN', userId: null }],
    ['an admin with a user', { role: 'admin', sub: user }, { role: 'ADMIN', userId: user }],
    ['attributes', { sub: user, attributes: { plan: 'pro' } }, { role: 'USER', attributes: { plan: 'pro' } }],
    ['an unknown role as a plain user', { sub: user, role: 'support' }, { role: 'USER', userId: user }],
    ['a role in another case as a plain user', { sub: user, role: 'Admin' }, { role: 'USER' }],
    ['a role that is no text as a plain user', { sub: user, role: { admin: true } }, { role: 'USER' }],
    ['a list of roles by the highest', { role: ['support', 'service', 'admin'] }, { role: 'ADMIN' }],
    ['a reader above a service', { role: ['service', 'reader'] }, { role: 'READER' }],
    ['a list of one role', { role: ['service'] }, { role: 'SERVICE' }],
    ['a list without a known role as a plain user', { sub: user, role: ['staff', 1, null] }, { role: 'USER' }],
    ['an empty list of roles as a plain user', { sub: user, role: [] }, { role: 'USER' }],
    ['claims that are null as absent', { sub: user, role: null, attributes: null }, { role: 'USER', attributes: {} }],
  ])('accepts %s', async (_name, payload, expected) => {
    const exp = soon();
    const caller = await verifier.verify({ token: await sign({ exp, ...payload }) });
    expect(caller).toMatchObject({ ...expected, expiresAt: (exp + 5) * 1000 });
    expect(Object.isFrozen(caller)).toBe(true);
  });

  it.each<[string, () => Promise<string> | string, RegExp]>([
    ['no expiry', () => sign({ sub: user }), /no claim "exp": expected the time/],
    ['an expiry in the past', () => sign({ sub: user, exp: soon() - 120 }), /expired/],
    ['an expiry that is text', () => signRaw(`{"sub":"${user}","exp":"${soon()}"}`), /claim "exp".*number/],
    ['an infinite expiry', () => signRaw(`{"sub":"${user}","exp":1e999}`), /./],
    ['an expiry past the end of time', () => signRaw(`{"sub":"${user}","exp":1e300}`), /claim "exp".*too large/],
    ['a start in the future', () => sign({ sub: user, exp: soon(), nbf: soon() }), /not valid yet/],
    [
      'a user without a subject',
      () => sign({ exp: soon() }),
      /no claim "sub" \(AUTH_USER_CLAIM\): expected the id of its user, text of 1 to 255 characters/,
    ],
    [
      'a user whose subject is null',
      () => sign({ sub: null, exp: soon() }),
      /no claim "sub" \(AUTH_USER_CLAIM\): expected the id of its user, text of 1 to 255 characters/,
    ],
    [
      'a subject with a line break',
      () => sign({ sub: 'auth0|5f\n7c1', exp: soon() }),
      /claim "sub".*\(AUTH_USER_CLAIM\) is no user id\. Expected .* found U\+000A\.$/,
    ],
    [
      'a subject that is a number',
      () => signRaw(`{"sub":42,"exp":${soon()}}`),
      /"sub".*no user id\. Expected text .* found a number: write it as text/,
    ],
    ['an admin whose subject is empty', () => sign({ sub: '', role: 'admin', exp: soon() }), /found an empty text/],
    [
      'attributes as a list',
      () => sign({ sub: user, attributes: [], exp: soon() }),
      /claim "attributes".*\(AUTH_ATTRIBUTES_CLAIM\).* Expected an object such as .*, found a list\.$/,
    ],
    [
      'an attribute that JavaScript rounds',
      () => signRaw(`{"sub":"${user}","exp":${soon()},"attributes":{"account":9007199254740993}}`),
      /attributes\.account: .* Write it as text/,
    ],
    [
      'an attribute with a name of a built-in one',
      () => sign({ sub: user, attributes: { plan: 'pro', $id: 'bob' }, exp: soon() }),
      /claim "attributes".*\(AUTH_ATTRIBUTES_CLAIM\) is refused: attributes\.\$id: .* kept for built-in attributes/,
    ],
    ['attributes as text', () => sign({ sub: user, attributes: 'x', exp: soon() }), /attributes/],
    [
      'a hundred and one attributes',
      () =>
        sign({
          sub: user,
          attributes: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`a${i}`, 1])),
          exp: soon(),
        }),
      /attributes/,
    ],
    [
      'more than 16 kB of attributes',
      () => sign({ sub: user, attributes: { a: 'é'.repeat(8_200) }, exp: soon() }),
      /attributes/,
    ],
    ['another secret', () => sign({ sub: user, exp: soon() }, new Uint8Array(32)), /signature/],
    ['another algorithm', () => sign({ sub: user, exp: soon() }, new Uint8Array(64), 'HS512'), /algorithm/],
    ['no signature', () => new UnsecuredJWT({ sub: user, exp: soon() }).encode(), /./],
    ['alg none with a signature', () => signRaw(`{"sub":"${user}","exp":${soon()}}`, '{"alg":"none"}'), /algorithm/],
    ['a payload that is no object', () => signRaw('[]'), /well-formed/],
    ['a payload that is no JSON', () => signRaw('{'), /well-formed/],
    ['text that is no token', () => 'hello', /well-formed/],
  ])('refuses %s', async (_name, make, message) => {
    const token = await make();
    const refused = verifier.verify({ token });
    await expect(refused).rejects.toBeInstanceOf(InvalidTokenError);
    await expect(refused).rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringMatching(message) });
    const { message: said } = (await refused.catch(error => error)) as Error;
    for (const part of token.split('.').filter(part => part !== '')) expect(said).not.toContain(part);
  });

  it('throws the refusal of a credential', async () => {
    const refusal = new InvalidTokenError('The header is odd.');
    await expect(verifier.verify(refusal)).rejects.toBe(refusal);
  });

  it('takes a token with as many attributes as there may be', async () => {
    const attributes = { a: 'é'.repeat(8_188) };
    expect(Buffer.byteLength(JSON.stringify(attributes))).toBe(16_384);
    expect(await verifier.verify({ token: await sign({ sub: user, exp: soon(), attributes }) })).toMatchObject({
      attributes,
    });
  });

  it('reads no claim from the prototype', async () => {
    const odd = createVerifier({
      keys: { kind: 'secret', secrets: [secret] },
      claims: { user: 'sub', role: 'constructor', attributes: '__proto__' },
    });
    const caller = await odd.verify({ token: await sign({ sub: user, exp: soon() }) });
    expect(caller).toMatchObject({ role: 'USER', attributes: {} });
  });

  it('takes the names of claims literally', async () => {
    const claims = { user: 'https://example.com/id', role: 'https://example.com/role', attributes: 'app.data' };
    const named = createVerifier({ keys: { kind: 'secret', secrets: [secret] }, claims });
    const token = await sign({
      sub: 'auth0|123',
      [claims.user]: user,
      [claims.role]: 'admin',
      [claims.attributes]: { a: 1 },
      app: { data: { a: 2 } },
      exp: soon(),
    });
    expect(await named.verify({ token })).toMatchObject({ role: 'ADMIN', userId: user, attributes: { a: 1 } });
  });

  it('holds to the issuer and the audience', async () => {
    const strict = createVerifier({ keys: { kind: 'secret', secrets: [secret] }, issuer: 'us', audience: 'halyard' });
    const verify = async (payload: object) =>
      strict.verify({ token: await sign({ sub: user, exp: soon(), ...payload }) });
    expect(await verify({ iss: 'us', aud: ['other', 'halyard'] })).toMatchObject({ role: 'USER' });
    await expect(verify({ iss: 'them', aud: 'halyard' })).rejects.toThrow(/issuer/);
    await expect(verify({ iss: 'us', aud: 'other' })).rejects.toThrow(/audience/);
    await expect(verify({ aud: 'halyard' })).rejects.toThrow(/issuer/);
    await expect(verify({ iss: 'us' })).rejects.toThrow(/audience/);
  });

  it('pays for a token once and refuses it when it has ended', async () => {
    let now = Date.now();
    const clocked = createVerifier({ keys: { kind: 'secret', secrets: [secret] }, now: () => now });
    const exp = Math.floor(now / 1000) + 60;
    const credential = { token: await sign({ sub: user, exp }) };
    const first = await clocked.verify(credential);
    expect(await clocked.verify(credential)).toBe(first);
    now = (exp + 4) * 1000;
    expect(await clocked.verify(credential)).toBe(first);
    now = (exp + 6) * 1000;
    await expect(clocked.verify(credential)).rejects.toThrow(/expired/);
  });
});

describe('a verifier with public keys', () => {
  let provider: JwksServer;
  beforeAll(async () => {
    provider = await startJwksServer();
  });
  afterAll(() => provider.close());

  it('accepts tokens that the provider signed, and asks for the keys once', async () => {
    const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
    const before = provider.requests;
    for (const alg of ['ES256', 'RS256'] as const) {
      const token = await provider.sign({ sub: user, exp: soon() }, { alg });
      expect(await verifier.verify({ token })).toMatchObject({ role: 'USER', userId: user });
    }
    expect(provider.requests - before).toBe(1);
  });

  it('finds the key of a token that names none', async () => {
    const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
    const token = await provider.sign({ sub: user, exp: soon() }, { alg: 'RS256', kid: null });
    expect(await verifier.verify({ token })).toMatchObject({ role: 'USER' });
  });

  it('refuses a shared-secret token made from the public key', async () => {
    const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
    const forged = await sign({ sub: user, role: 'admin', exp: soon() }, Buffer.from(JSON.stringify(provider.keys[1])));
    await expect(verifier.verify({ token: forged })).rejects.toThrow(/algorithm/);
    await expect(
      verifier.verify({ token: new UnsecuredJWT({ sub: user, exp: soon() }).encode() }),
    ).rejects.toBeInstanceOf(InvalidTokenError);
  });

  it("refuses another provider's token", async () => {
    const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
    const other = await startJwksServer();
    try {
      const token = await other.sign({ sub: user, exp: soon() });
      await expect(verifier.verify({ token })).rejects.toThrow(/signature/);
      const unknownKey = await other.sign({ sub: user, exp: soon() }, { kid: 'elsewhere' });
      await expect(verifier.verify({ token: unknownKey })).rejects.toThrow(/signature/);
    } finally {
      await other.close();
    }
  });

  it.each([
    ['fails', { status: 500, body: 'oops' }],
    ['answers with a page', { status: 200, body: '<html>' }],
    ['answers with something else', { status: 200, body: '{"keys":7}' }],
  ])('says unavailable, not invalid, while the endpoint %s', async (_name, answer) => {
    const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
    const credential = { token: await provider.sign({ sub: user, exp: soon() }) };
    provider.answer(answer);
    try {
      await expect(verifier.verify(credential)).rejects.toBeInstanceOf(UnavailableError);
    } finally {
      provider.answer(null);
    }
    const isVerified = () =>
      verifier.verify(credential).then(
        () => true,
        () => false,
      );
    await until(isVerified, 'it is verified once the set can be read');
  });

  describe('that change', () => {
    const exp = () => Math.floor(Date.now() / 1000) + 86_400;
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    });
    afterEach(() => {
      vi.useRealTimers();
      provider.answer(null);
    });
    const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1000);

    it('refuses a kept token within ten minutes after its key has left the set', async () => {
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
      const [leaving, staying] = await Promise.all([
        provider.sign({ sub: user, exp: exp() }, { alg: 'ES256' }),
        provider.sign({ sub: user, exp: exp() }, { alg: 'RS256' }),
      ]);
      await verifier.verify({ token: leaving });
      pass(1);
      provider.withdraw('ES256');
      pass(597);
      // Kept late: what counts is the age of the key set and not when the token was kept.
      await verifier.verify({ token: leaving });
      await verifier.verify({ token: staying });
      pass(2);
      await expect(verifier.verify({ token: leaving })).rejects.toThrow(/signature/);
      expect(await verifier.verify({ token: staying })).toMatchObject({ userId: user });
    });

    it('reads the set once in ten minutes, and pays for a token once as long as the keys stay', async () => {
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
      const token = await provider.sign({ sub: user, exp: exp() });
      await verifier.verify({ token });
      const first = await verifier.verify({ token });
      const before = provider.requests;
      for (let i = 0; i < 3; i += 1) {
        pass(601);
        const callers = await Promise.all([verifier.verify({ token }), verifier.verify({ token })]);
        expect(callers).toEqual([first, first]);
        expect(callers[0]).toBe(first);
      }
      expect(provider.requests - before).toBe(3);
    });

    it('accepts kept tokens while the set cannot be read, and asks for it again every thirty seconds', async () => {
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
      const token = await provider.sign({ sub: user, exp: exp() });
      await verifier.verify({ token });
      await verifier.verify({ token });
      provider.answer({ status: 500, body: 'oops' });
      pass(601);
      const before = provider.requests;
      for (let i = 0; i < 5; i += 1) expect(await verifier.verify({ token })).toMatchObject({ userId: user });
      expect(provider.requests - before).toBe(1);
      provider.withdraw('ES256');
      pass(31);
      const isRefused = () =>
        verifier.verify({ token }).then(
          () => false,
          () => true,
        );
      await until(isRefused, 'the token is refused once the set can be read again');
      expect(provider.requests - before).toBe(2);
    });

    it('counts the age of the set, and the time to the next attempt, on a clock that nobody sets', async () => {
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
      const token = await provider.sign({ sub: user, exp: exp() });
      await verifier.verify({ token });
      vi.setSystemTime(Date.now() - 40_000_000);
      provider.answer({ status: 500, body: 'oops' });
      pass(601);
      const before = provider.requests;
      await verifier.verify({ token });
      expect(provider.requests - before).toBe(1);
      vi.setSystemTime(Date.now() - 40_000_000);
      pass(31);
      await verifier.verify({ token });
      await until(() => provider.requests - before === 2, 'the set is asked for again');
    });

    it('does not ask a provider that is away for each token with an unknown key', async () => {
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
      await verifier.verify({ token: await provider.sign({ sub: user, exp: exp() }) });
      pass(31);
      provider.answer({ status: 500, body: 'oops' });
      const before = provider.requests;
      for (let i = 0; i < 5; i += 1) {
        const token = await provider.sign({ sub: user, exp: exp() }, { kid: `new ${i}` });
        // It may be a key of the set that cannot be read.
        await expect(verifier.verify({ token })).rejects.toBeInstanceOf(UnavailableError);
      }
      expect(provider.requests - before).toBe(1);
    });

    it('says when streams of a key end: when a set that could be read no longer has it', async () => {
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
      const verify = async (alg: 'ES256' | 'RS256', sub = user) =>
        verifier.verify({ token: await provider.sign({ sub, exp: exp() }, { alg }) });
      const ended: string[] = [];
      const watch = (caller: Caller, name: string) => verifier.whenKeyLeaves(caller, () => ended.push(name));
      watch(await verify('ES256'), 'leaving');
      const cancel = watch(await verify('ES256'), 'cancelled');
      const staying = await verify('RS256');
      watch(staying, 'staying');
      watch(anonymous, 'anonymous');
      cancel();
      provider.answer({ status: 500, body: 'oops' });
      pass(601);
      await verify('RS256').catch(() => undefined);
      expect(ended).toEqual([]);
      provider.answer({ status: 200, body: JSON.stringify({ keys: [...provider.keys].reverse() }) });
      pass(31);
      const { requests } = provider;
      await until(async () => (await verify('RS256', 'other').catch(() => null)) !== null, 'the set is read again');
      expect(provider.requests).toBe(requests + 1);
      expect(ended).toEqual([]);
      provider.withdraw('ES256');
      pass(601);
      await verify('RS256', 'another');
      await until(() => ended.length > 0, 'the streams of the key that left end');
      // One that is opened too late to be told is told at once.
      expect(ended).toEqual(['leaving']);
    });
  });

  describe('of an endpoint that behaves badly', () => {
    afterEach(() => provider.answer(null));
    const keys = () => JSON.stringify({ keys: provider.keys }).slice(0, -2);
    /** One buffer for all answers: the endpoint lives in the process whose memory is measured. */
    const blanks = Buffer.alloc(100_000_000, ' ');

    it.each<[string, Answer, RegExp]>([
      [
        'answers with 100 MB',
        response => {
          response.write(keys());
          response.write(blanks);
          response.end(']}');
        },
        /more than 1,000,000 bytes/,
      ],
      [
        'never ends its answer',
        response => {
          response.write(keys());
          const more = setInterval(() => response.write(' '.repeat(100_000)), 1);
          response.on('close', () => clearInterval(more));
        },
        /more than 1,000,000 bytes/,
      ],
      ['does not answer', () => undefined, /timeout/],
      [
        'begins to answer and stops',
        response => {
          response.write(keys());
        },
        /timeout/,
      ],
      [
        'sends elsewhere',
        response => response.writeHead(302, { location: '/other' }).end(),
        /status 302, expected 200/,
      ],
      ['answers with a page', { status: 200, body: '<html>' }, /JSON/],
      ['answers with something else', { status: 200, body: '{"keys":7}' }, /JSON Web Key Set/],
    ])('that %s: unavailable, with the reason in the log, once', { timeout: 20_000 }, async (_name, answer, reason) => {
      // Time enough for a busy machine where the reason is another one.
      const timeout = reason.source === 'timeout' ? 1_000 : 10_000;
      const warnings: { readonly err: Error }[] = [];
      const infos: object[] = [];
      const log = {
        ...silentLog,
        warn: (it: { err: Error }) => warnings.push(it),
        info: (it: object) => infos.push(it),
      };
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url, timeout }, log });
      const credential = { token: await provider.sign({ sub: user, exp: soon() }) };
      const before = process.memoryUsage().rss;
      provider.answer(answer);
      for (let i = 0; i < 2; i += 1) {
        await expect(verifier.verify(credential)).rejects.toBeInstanceOf(UnavailableError);
      }
      expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000);
      expect(warnings).toHaveLength(1);
      expect(String(warnings[0]?.err)).toMatch(reason);
      provider.answer(null);
      const isVerified = () =>
        verifier.verify(credential).then(
          () => true,
          () => false,
        );
      await until(isVerified, 'it is verified once the set can be read');
      expect(infos).toHaveLength(1);
    });

    it('that has a thousand keys: the right one is found by its id, and no token makes the server try them all', async () => {
      const many = Array.from({ length: 1_000 }, (_, index) => ({ ...provider.keys[0], kid: `k${index}` }));
      provider.answer({ status: 200, body: JSON.stringify({ keys: [...many, ...provider.keys] }) });
      const verifier = createVerifier({ keys: { kind: 'jwks', url: provider.url } });
      const named = await provider.sign({ sub: user, exp: soon() }, { alg: 'ES256' });
      expect(await verifier.verify({ token: named })).toMatchObject({ role: 'USER' });
      const nameless = `${(await provider.sign({ sub: user, exp: soon() }, { kid: null })).slice(0, -4)}AAAA`;
      await expect(verifier.verify({ token: nameless })).rejects.toThrow(
        'More than 16 keys of the identity provider fit the token: its header must name one ("kid").',
      );
    });
  });

  it('says unavailable where nothing listens, yet refuses text that is not a token', async () => {
    const gone = await startJwksServer();
    await gone.close();
    const verifier = createVerifier({ keys: { kind: 'jwks', url: gone.url } });
    const token = await provider.sign({ sub: user, exp: soon() });
    await expect(verifier.verify({ token })).rejects.toBeInstanceOf(UnavailableError);
    await expect(verifier.verify({ token: 'hello' })).rejects.toBeInstanceOf(InvalidTokenError);
  });
});

it('takes a null expiry as no expiry', () => {
  expect(hasExpired(anonymous, Number.MAX_SAFE_INTEGER)).toBe(false);
  expect(hasExpired({ ...anonymous, expiresAt: 1_000 }, 999)).toBe(false);
  expect(hasExpired({ ...anonymous, expiresAt: 1_000 }, 1_000)).toBe(true);
});

describe('a minted token', () => {
  it.each([
    { role: 'USER', userId: user.toUpperCase(), attributes: { plan: 'pro' } },
    { role: 'SERVICE', userId: null, attributes: {} },
    { role: 'ADMIN', userId: user, attributes: {} },
  ] as const)('says what it was asked to say: $role', async request => {
    const options = {
      issuer: 'us',
      audience: 'halyard',
      claims: { user: 'uid', role: 'https://example.com/role', attributes: 'attrs' },
    };
    const token = await mintToken(secret, { ...request, ...options, expiresInSeconds: 3_600 });
    const caller = await createVerifier({ keys: { kind: 'secret', secrets: [secret] }, ...options }).verify({ token });
    expect(caller).toMatchObject({ ...request, userId: request.userId?.toLowerCase() ?? null });
    expect(caller.expiresAt).toBeGreaterThan(Date.now() + 3_590_000);
    expect(caller.expiresAt).toBeLessThan(Date.now() + 3_610_000);
  });
});

describe('API keys', () => {
  const key: ApiKey = {
    id: user,
    name: 'build',
    role: 'READER',
    prefix: 'hly_abcde',
    createdAt: new Date(0),
    createdById: null,
    expiresAt: new Date(2_000_000),
    revokedAt: null,
  };
  const secret = apiKeySecret(Buffer.alloc(32, 7));

  it('stand where a token does, whoever signs tokens, without asking for the keys of tokens', async () => {
    const apiKeys = { find: (text: string) => (text === secret ? key : null), whenRevoked: () => () => {} };
    const keys = { kind: 'jwks', url: new URL('http://127.0.0.1:9/nowhere') } as const;
    const verifier = createVerifier({ keys, apiKeys, now: () => 1_999_999 });
    const caller = await verifier.verify({ token: secret });
    expect(caller).toEqual({
      role: 'READER',
      userId: null,
      attributes: {},
      expiresAt: 2_000_000,
      apiKey: { id: user, name: 'build' },
    });
    // The same object, or answers to it would not be kept.
    expect(await verifier.verify({ token: secret })).toBe(caller);
    const wrong = apiKeySecret(Buffer.alloc(32, 8));
    for (const token of [wrong, 'hly_', `${secret}x`, `hly_${'é'.repeat(43)}`]) {
      const error = await verifier.verify({ token }).catch(e => e);
      expect(error).toBeInstanceOf(InvalidTokenError);
      expect(error.message).toBe('The API key is unknown, or was revoked.');
    }
    const later = createVerifier({ keys, apiKeys, now: () => 2_000_000 });
    await expect(later.verify({ token: secret })).rejects.toThrow('The API key has expired.');
  });

  it('are unknown where none are held, and then their connections end at once', async () => {
    const verifier = createVerifier({ keys: { kind: 'secret', secrets: [Buffer.alloc(32)] } });
    await expect(verifier.verify({ token: secret })).rejects.toBeInstanceOf(InvalidTokenError);
    let ended = 0;
    verifier.whenKeyLeaves({ ...anonymous, apiKey: key }, () => {
      ended += 1;
    })();
    expect(ended).toBe(1);
  });
});
