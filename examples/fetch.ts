import { createFeatures, MemoryBackend, requireFeature } from 'halyard';
import { type Context, Hono } from 'hono';

const backend = new MemoryBackend();
backend.seed({
  flags: [{ key: 'beta', enabled: true, conditions: { groups: ['testers'] } }],
  groups: { testers: ['3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a'] },
});
export const features = await createFeatures({ backend });

const userOf = ({ headers }: Request) => {
  const id = headers.get('x-user-id');
  return id === null ? null : { id };
};

// A fetch handler, for Next, Bun and Deno: the gate wraps it.
export const GET = requireFeature('beta', { features, user: userOf, redirectUrl: '/waitlist' })(
  request => new Response(`${new URL(request.url).pathname}: in`),
);

// Hono: the gate is a middleware.
const user = (c: Context) => userOf(c.req.raw);

export const app = new Hono();
app.get('/hidden', requireFeature('beta', { features, user }), c => c.text('hidden: in'));
app.use('/refused/*', requireFeature('beta', { features, user, status: 403, message: 'For testers.' }));
app.get('/refused/:id', c => c.text(`refused ${c.req.param('id')}: in`));
app.get('/redirected', c => GET(c.req.raw));

// `export default app` serves it on Bun, Deno and workers, and @hono/node-server does on Node.
export const fetch = app.fetch;
