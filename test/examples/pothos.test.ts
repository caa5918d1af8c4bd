import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sseClient } from '../support/clients.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = `${root}examples/pothos.ts`;

describe('the example of a Pothos schema', () => {
  let url: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', example], {
      cwd: root,
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(child, 'close');
    stop = async () => {
      child.kill();
      await closed;
    };
    const [line] = await Promise.race([once(child.stdout, 'data'), closed]);
    url = String(line).trim();
  });

  afterAll(() => stop());

  async function ask(query: string, user: string) {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user': user },
      body: JSON.stringify({ query }),
    });
    return { status: response.status, body: await response.json() };
  }

  it('resolves the field for users with the feature', async () => {
    expect(await ask('{ hello search hint }', 'ann')).toEqual({
      status: 200,
      body: { data: { hello: 'hello', search: 'found', hint: 'try search' } },
    });
  });

  it('answers in its place for users without it', async () => {
    expect(await ask('{ hello hint }', 'bob')).toEqual({ status: 200, body: { data: { hello: 'hello', hint: null } } });
    const { status, body } = await ask('{ hello search }', 'bob');
    expect(status).toBe(404);
    expect(body).toMatchObject({
      data: { hello: 'hello', search: null },
      errors: [{ path: ['search'], extensions: { code: 'FEATURE_DISABLED' } }],
    });
  });

  it('ends the subscription when the feature goes off', async () => {
    await using stream = await sseClient(url, 'subscription { found }');
    expect(await stream.next()).toEqual({ data: { found: '1 found' } });
    await ask('mutation { endLiveSearch }', 'ann');
    await stream.ended;
    const last = stream.raw.split('\n\n').findLast(event => event.includes('data: {'));
    expect(last).toContain('"code":"FEATURE_DISABLED"');
    expect((await ask('subscription { found }', 'ann')).status).toBe(403);
  });

  it.each([
    ['nodenext', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
    ['bundler', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
  ])('compiles, strictly, with moduleResolution %s', { timeout: 120_000 }, (_name, module, moduleResolution) => {
    const program = ts.createProgram([example], {
      strict: true,
      exactOptionalPropertyTypes: true,
      noPropertyAccessFromIndexSignature: true,
      noEmit: true,
      skipLibCheck: true,
      target: ts.ScriptTarget.ES2022,
      types: ['node'],
      module,
      moduleResolution,
    });
    expect(ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText)).toEqual([]);
  });
});
