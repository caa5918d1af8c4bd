import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateOne, evaluatePath, type OfrepAnswer, send } from '../support/ofrep/client.js';
import { startTestServer, type TestServer } from '../support/server.js';

/*
 * The providers in other languages cannot be installed here. These are their rules for an answer, as their sources have them:
 * github.com/open-feature, python-sdk-contrib (providers/openfeature-provider-ofrep), java-sdk-contrib (providers/ofrep),
 * go-sdk-contrib (providers/ofrep) and dotnet-sdk-contrib (src/OpenFeature.Providers.Ofrep).
 */

type Type = 'boolean' | 'string' | 'integer' | 'float' | 'object';

/** What a program gets: the value, or the code of the error with which the default in the code is taken. */
type Outcome =
  | { readonly value: unknown; readonly reason: string; readonly variant: string }
  | { readonly error: string };

type Provider = (answer: OfrepAnswer, type: Type) => Outcome;

/** The type that JSON readers of languages with integers give the value: `1` is an integer and `1.0` is none. */
function typeOf({ text, body }: OfrepAnswer): Type | 'null' {
  if (typeof body.value !== 'number') return body.value === null ? 'null' : (typeof body.value as Type);
  const literal = /"value":(-?[\d.e+-]+)/.exec(text)?.[1] ?? '';
  return /^-?\d+$/.test(literal) ? 'integer' : 'float';
}

/** A member that is read without a look whether it is there. */
function member(body: Record<string, unknown>, name: string): never {
  if (!Object.hasOwn(body, name)) throw new TypeError(`There is no member "${name}".`);
  return body[name] as never;
}

const pythonReasons = [
  'CACHED',
  'DEFAULT',
  'DISABLED',
  'ERROR',
  'SPLIT',
  'STATIC',
  'STALE',
  'TARGETING_MATCH',
  'UNKNOWN',
];
const errorCodes = [
  'PROVIDER_NOT_READY',
  'FLAG_NOT_FOUND',
  'PARSE_ERROR',
  'TYPE_MISMATCH',
  'TARGETING_KEY_MISSING',
  'INVALID_CONTEXT',
  'GENERAL',
];

const providers: Record<string, Provider> = {
  python(answer, type) {
    const { status, headers, body } = answer;
    if (status === 429) {
      expect(headers.get('retry-after')).toMatch(/^\d+$/);
      return { error: 'GENERAL' };
    }
    if (status >= 400) {
      const code: string = member(body, 'errorCode');
      expect(errorCodes).toContain(code);
      member(body, 'errorDetails');
      return { error: status === 404 ? 'FLAG_NOT_FOUND' : code };
    }
    if (typeOf(answer) !== type) return { error: 'TYPE_MISMATCH' };
    expect(pythonReasons).toContain(body.reason);
    member(body, 'metadata');
    return { value: member(body, 'value'), reason: member(body, 'reason'), variant: member(body, 'variant') };
  },
  java(answer, type) {
    const { status, body } = answer;
    // Read before the status is looked at.
    expect(Object.entries(member(body, 'metadata'))).toBeDefined();
    if (status === 404) return { error: 'FLAG_NOT_FOUND' };
    if (status === 400 || status === 406) return { error: 'INVALID_CONTEXT' };
    if (status !== 200) return { error: 'GENERAL' };
    if (body.value === null || body.value === undefined) return { error: 'FLAG_NOT_FOUND' };
    // The largest integer of `Integer`.
    if (typeOf(answer) !== type && type !== 'object') return { error: 'TYPE_MISMATCH' };
    return { value: body.value, reason: body.reason, variant: body.variant };
  },
  go({ status, body }, type) {
    if (status === 404) return { error: 'FLAG_NOT_FOUND' };
    if (status === 400) return { error: errorCodes.includes(body.errorCode) ? body.errorCode : 'GENERAL' };
    if (status !== 200) return { error: 'GENERAL' };
    const isNumber = type === 'integer' || type === 'float';
    const fits = isNumber
      ? typeof body.value === 'number' && (type === 'float' || Number.isInteger(body.value))
      : type === 'object' || typeof body.value === type;
    if (!fits) return { error: 'TYPE_MISMATCH' };
    // The meaning that flagd and the SDK of Go give to it.
    expect(body.reason).not.toBe('DISABLED');
    return { value: body.value, reason: body.reason, variant: body.variant };
  },
  dotnet(answer, type) {
    if (answer.status !== 200) return { error: 'PROVIDER_NOT_READY' };
    const found = typeOf(answer);
    // Its reader takes an integer for a fraction.
    if (found !== type && !(type === 'float' && found === 'integer')) return { error: 'PARSE_ERROR' };
    const { value, reason, variant } = answer.body;
    return { value, reason, variant };
  },
};

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  token = (await server.token('service')) as string;
  const values = (type: string, ...all: unknown[]) => ({
    ...{ type, enabled: true, offVariant: 'v0' },
    variants: all.map((value, n) => ({ key: `v${n}`, value, weight: n === 0 ? 1 : 0 })),
  });
  for (const flag of [
    { key: 'on', enabled: true },
    { key: 'killed', enabled: false },
    { key: 'text', ...values('STRING', 'x') },
    { key: 'whole', ...values('NUMBER', 1, 2) },
    { key: 'fraction', ...values('NUMBER', 1, 0.5) },
    { key: 'object', ...values('OBJECT', { a: 1 }) },
  ]) {
    await server.service.management.createFlag({ name: flag.key, ...flag } as never);
  }
});
afterAll(() => server.close());

describe.each(Object.entries(providers))('the provider in %s', (language, read) => {
  it.each<[string, Type, unknown, string, string]>([
    ['on', 'boolean', true, 'STATIC', 'on'],
    ['killed', 'boolean', false, 'STATIC', 'off'],
    ['text', 'string', 'x', 'STATIC', 'v0'],
    ['whole', 'integer', 1, 'STATIC', 'v0'],
    ['fraction', 'float', 1, 'STATIC', 'v0'],
    ['object', 'object', { a: 1 }, 'STATIC', 'v0'],
  ])('gets the value of %s as %s', async (key, type, value, reason, variant) => {
    const answer = await evaluateOne(server.url, key, { targetingKey: 'ann' }, { token });
    expect(read(answer, type)).toEqual({ value, reason, variant });
  });

  it('gets the default with the right code where there is no answer', async () => {
    const http = { error: 'PROVIDER_NOT_READY' };
    const asNet = language === 'dotnet';
    const of = async (answer: Promise<OfrepAnswer>) => read(await answer, 'boolean');
    expect(await of(evaluateOne(server.url, 'nope', {}, { token }))).toEqual(
      asNet ? http : { error: 'FLAG_NOT_FOUND' },
    );
    expect(await of(evaluateOne(server.url, 'on', { targetingKey: 1 }, { token }))).toEqual(
      asNet ? http : { error: 'INVALID_CONTEXT' },
    );
    expect(await of(evaluateOne(server.url, 'on', {}, { token: 'nonsense' }))).toEqual(
      asNet ? http : { error: 'GENERAL' },
    );
    expect(await of(evaluateOne(server.url, 'text', {}, { token }))).toEqual({
      error: asNet ? 'PARSE_ERROR' : 'TYPE_MISMATCH',
    });
    // Python sends no context at all where there is none.
    expect(await of(send(`${server.url}${evaluatePath}/on`, '{}', { token }))).toMatchObject({ value: true });
  });
});
