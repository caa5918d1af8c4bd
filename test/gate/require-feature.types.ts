import type { IncomingMessage } from 'node:http';
import middie from '@fastify/middie';
import connect from 'connect';
import express from 'express';
import fastify from 'fastify';
import { type Context, Hono } from 'hono';
import { type Features, requireFeature } from '../../src/index.js';

// What the type check says about gates. Nothing here runs.

declare global {
  namespace Express {
    // As Passport and others declare it, and as a program does that knows its users itself.
    interface Request {
      user?: { readonly id: string; readonly plan: string };
    }
  }
}

export function gatesTakeTheUserThatExpressKnows(features: Features) {
  const app = express();
  app.use(requireFeature('beta', { features, user: req => req.user }));
  app.get('/', requireFeature('beta', { features, user: req => req.user }), (_req, res) => void res.json({}));
  app.get('/:id', requireFeature('beta', { features, user: req => req.user ?? null }), (req, res) => {
    res.send(req.params.id);
  });
  const router = express.Router();
  router.use('/beta', requireFeature('beta', { features, user: req => req.user }));
  app.use(requireFeature('beta', { features, device: req => req.header('x-device') }));
  app.use(requireFeature('beta', { features, user: req => req.user, device: async req => req.header('x-device') }));
  // A gate that is made elsewhere does not see Express, so its request has a type.
  const gate = requireFeature('beta', { features, user: (req: express.Request) => req.user });
  app.get('/', gate, (_req, res) => void res.json({}));
}

/** A program's own user object. */
interface Account {
  readonly name: string;
}

export async function gatesInferTheirRequests(features: Features) {
  const app = express();
  const user = (request: express.Request) => ({ id: request.header('x-user') ?? '' });
  app.get('/', requireFeature('beta', { features, user }), (_request, response) => void response.json({}));
  app.use(requireFeature('beta', { features, user: request => ({ id: request.header('x-user') ?? '' }) }));
  app.get('/:id', requireFeature('beta', { features }), ({ params }, response) => {
    response.send(params.id satisfies string);
  });

  app.get(
    '/',
    requireFeature('beta', { features, user: (_request: unknown) => null }),
    (_request, response) => void response.json({}),
  );

  connect().use(requireFeature('beta', { features, user: ({ headers }) => ({ id: String(headers.authorization) }) }));
  connect().use('/', requireFeature('beta', { features }));
  connect().use(requireFeature('beta', { features, device: ({ headers }) => headers.authorization }));

  const server = fastify();
  await server.register(middie);
  server.use('/', requireFeature('beta', { features, user: ({ headers }) => ({ id: String(headers.authorization) }) }));

  const hono = new Hono();
  const caller = (c: Context) => ({ id: c.req.header('x-user') ?? '' });
  hono.use('/beta/*', requireFeature('beta', { features, user: caller }));
  hono.get('/', requireFeature('beta', { features, user: caller }), c => c.text('in'));
  hono.get(
    '/',
    requireFeature('beta', { features, user: caller })(c => c.text(c.req.path)),
  );

  const byRequest = requireFeature('beta', {
    features,
    user: request => ({ id: request.headers.get('x-user') ?? '' }),
  });
  byRequest(request => new Response(request.url)) satisfies (request: Request) => Promise<Response>;
  byRequest((_request, { params }: { params: { id: string } }) => new Response(params.id)) satisfies (
    request: Request,
    context: { params: { id: string } },
  ) => Promise<Response>;
  // @ts-expect-error: a handler of numbers does not tell who asks.
  byRequest((_request: number) => new Response());
}

export function gatesTakeTheProgramsUsers(features: Features<Account>) {
  requireFeature('beta', { features, user: (_request: IncomingMessage) => ({ name: 'Ann' }) });
  requireFeature('beta', { features, user: async (_request: IncomingMessage) => null });
  // @ts-expect-error: no account.
  requireFeature('beta', { features, user: (_request: IncomingMessage) => ({ id: '1' }) });
  // @ts-expect-error: no such answer.
  requireFeature('beta', { features, status: 418 });
}

export const gatedMethods = (features: Features) =>
  class {
    @requireFeature('beta', { features, user: (_id: number, viewer: { id: string }) => viewer })
    async show(id: number, _viewer: { id: string }): Promise<number> {
      return id;
    }

    @requireFeature('beta', { features })
    static async all(): Promise<string[]> {
      return [];
    }

    @requireFeature('beta', { features })
    maybe(): number | Promise<number> {
      return 1;
    }

    // @ts-expect-error: a gated method cannot answer at once.
    @requireFeature('beta', { features })
    sync(): number {
      return 1;
    }

    // @ts-expect-error: the method is not called with what tells who asks.
    @requireFeature('beta', { features, user: (viewer: { id: string }) => viewer })
    async anonymous(id: number): Promise<number> {
      return id;
    }
  };
