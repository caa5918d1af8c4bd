// Makes the pictures of the console in the README: `npm run screenshots`. It needs Linux on x64, as the tests of pages do.
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { mintToken } from '../src/auth/token.js';
import { readConfig } from '../src/config.js';
import type { FeaturesUpdate } from '../src/features/subscriber.js';
import { startServer } from '../src/server/index.js';
import { launchBrowser } from '../test/support/browser.js';

const folder = fileURLToPath(new URL('../packages/console/screenshots/', import.meta.url));
const viewers = 400;

const boolean = (key: string, name: string, percentage: number, more: object = {}) => ({
  ...{ key, name, enabled: true, percentage },
  ...more,
});

const flags = [
  {
    ...{ key: 'pricing_layout', name: 'Pricing page layout', enabled: true, percentage: 25, type: 'STRING' as const },
    conditions: { attributes: { plan: ['pro', 'team'] } },
    variants: [
      { key: 'cards', value: 'cards', weight: 50 },
      { key: 'table', value: 'table', weight: 30 },
      { key: 'control', value: 'control', weight: 20 },
    ],
    offVariant: 'control',
    rules: [
      { id: 'staff', when: { groups: ['staff'] }, serve: [{ variant: 'cards', weight: 1 }] },
      { id: 'enterprise', when: { attributes: { plan: 'enterprise' } }, on: false },
      {
        id: 'dach-pilot',
        when: { attributes: { country: ['DE', 'AT', 'CH'], build: { gte: 420 } } },
        percentage: 50,
      },
    ],
  },
  boolean('new_checkout', 'New checkout', 10),
  boolean('ai_summaries', 'AI summaries', 5, { conditions: { groups: ['beta_testers'] } }),
  boolean('search_ranker', 'Search ranker', 50),
  boolean('pix_payments', 'Pix payments', 100, { conditions: { attributes: { country: 'BR' } } }),
  boolean('invoice_export', 'Invoice export', 100, { conditions: { not: { attributes: { plan: 'free' } } } }),
  boolean('sso_login', 'Single sign-on', 100, { conditions: { attributes: { plan: 'enterprise' } } }),
  boolean('new_dashboard', 'New dashboard', 100),
  boolean('dark_mode', 'Dark mode', 100),
  boolean('maintenance_banner', 'Maintenance banner', 100, { enabled: false }),
];

const pick = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

const secret = randomBytes(32).toString('hex');
const env = {
  FEATURE_BACKEND: 'memory',
  PORT: '0',
  AUTH_JWT_SECRET: secret,
  HALYARD_ENVIRONMENT: 'production:#c2410c',
};
const server = await startServer(readConfig(env), { log: pino({ level: 'silent' }) });
const browser = await launchBrowser();
try {
  const { management } = server.service;
  const author = { actor: 'okta|m.admin' };
  for (const flag of flags) await management.createFlag(flag, author);
  await management.addToGroup({ group: 'staff', userIds: ['auth0|5f7c2e91'] }, author);
  await management.setUserAttributes(
    { userId: 'auth0|9b1a0e5f', attributes: { plan: 'pro', country: 'DE', build: 412 } },
    author,
  );
  const readAll = async (updates: AsyncIterable<FeaturesUpdate>) => {
    for await (const _ of updates);
  };
  for (let index = 0; index < viewers; index += 1) {
    const attributes = {
      plan: pick(['free', 'pro', 'free', 'team', 'pro', 'enterprise'], index),
      country: pick(['DE', 'BR', 'FR', 'US', 'AT'], index),
      build: 380 + (index % 60),
    };
    void readAll(server.service.subscribe({ userId: `user_${index}`, attributes }));
  }
  const key = new TextEncoder().encode(secret);
  const token = await mintToken(key, { role: 'ADMIN', userId: 'okta|m.admin', expiresInSeconds: 3_600 });
  const context = await browser.newContext({ viewport: { width: 1_280, height: 820 }, locale: 'en-GB' });
  await context.addInitScript(credential => sessionStorage.setItem('halyard.credential', credential), token);
  const page = await context.newPage();
  await mkdir(folder, { recursive: true });
  const shots = [
    ['flags', '/', '[title^="On for"]'],
    ['flag', '/flags/pricing_layout', 'text=of 400 viewers'],
    ['why', '/why?user=auth0%7C9b1a0e5f&flag=pricing_layout', 'text=Text to paste'],
  ] as const;
  for (const [name, path, sign] of shots) {
    await page.goto(`${server.url}/console${path}`);
    await page.locator(sign).first().waitFor();
    await page.waitForLoadState('networkidle');
    await page.screenshot({ path: `${folder}${name}.png` });
    process.stdout.write(`${name}.png\n`);
  }
} finally {
  await browser.close();
  await server.close();
}
