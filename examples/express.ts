import { pathToFileURL } from 'node:url';
import express, { type Request } from 'express';
import { createFeatures, MemoryBackend, requireFeature } from 'halyard';

const backend = new MemoryBackend();
backend.seed({
  flags: [{ key: 'beta', enabled: true, conditions: { groups: ['testers'] } }],
  groups: { testers: ['3f2b8c1e-7a54-4d3c-9b1a-0e5f6d7c8b9a'] },
});
export const features = await createFeatures({ backend });

// Your program knows the user of a request, for example from a session or a token.
const user = (request: Request) => {
  const id = request.header('x-user-id');
  return id === undefined ? null : { id };
};

export const app = express();

app.get('/hidden', requireFeature('beta', { features, user }), (_request, response) => {
  response.send('hidden: in');
});

app.get(
  '/refused',
  requireFeature('beta', { features, user, status: 403, message: 'For testers.' }),
  (_request, response) => {
    response.send('refused: in');
  },
);

app.get('/redirected', requireFeature('beta', { features, user, redirectUrl: '/waitlist' }), (_request, response) => {
  response.send('redirected: in');
});

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) app.listen(3000);
