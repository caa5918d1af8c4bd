import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { showBanner } from '../../examples/openfeature-web/main.js';
import { promisedOutput } from '../support/markdown.js';
import { packageRoot, printedBy, readPage } from '../support/page-examples.js';
import { startTestServer } from '../support/server.js';
import { until } from '../support/wait.js';

it('in Node.js prints what its comments say', async () => {
  const code = readFileSync(new URL('examples/openfeature-node/main.ts', packageRoot), 'utf8');
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation(value => {
    lines.push(Array.isArray(value) ? `[ '${value.join("', '")}' ]` : String(value));
  });
  await import('../../examples/openfeature-node/main.js');
  log.mockRestore();
  expect(lines).toEqual(promisedOutput(code));
  expect(lines).toHaveLength(4);
});

it('on the page of the documentation prints what its comments say', async () => {
  const [first] = readPage('docs/openfeature.md').blocks.filter(({ language }) => language === 'ts');
  const code = first?.code ?? '';
  expect((await printedBy(code)).trim()).toBe(promisedOutput(code).join(' '));
});

it('in a page shows each change', async () => {
  await using server = await startTestServer();
  const { management } = server.service;
  const variants = [
    { key: 'plain', value: 'Hello', weight: 0 },
    { key: 'sale', value: 'Sale!', weight: 1 },
  ];
  await management.createFlag({ key: 'banner', name: 'Banner', type: 'STRING', variants, offVariant: 'plain' }, null);
  const shown: string[] = [];
  const end = await showBanner(server.url, text => shown.push(text));
  await management.updateFlag({ key: 'banner', enabled: true }, null);
  await until(() => shown.length > 1, 'the change is shown');
  expect(shown).toEqual(['Hello', 'Sale!']);
  await end();
});
