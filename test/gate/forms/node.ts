import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import middie from '@fastify/middie';
import connect from 'connect';
import express from 'express';
import fastify from 'fastify';
import { requireFeature } from '../../../src/index.js';
import { behave, type Form, failure, outcomeOf, overNode, requestFor, type Scenario, userOf } from './form.js';

// It brings no types of its own.
const express4 = createRequire(import.meta.url)('express4') as typeof express;

const user = (request: IncomingMessage) => userOf(request.headers['x-user'] as string | undefined);

const device = (request: IncomingMessage) => request.headers['x-device'] as string | undefined;

const gate = ({ features, key, answer }: Scenario) => requireFeature(key, { features, user, device, ...answer });

/** Express 4 and 5 share what is used here. */
function expressForm(name: string, create: typeof express): Form {
  return {
    name,
    overHttp: true,
    run(scenario) {
      const app = create();
      app.all('/beta', gate(scenario), (request, response, next) => {
        if (scenario.handler === 'throws') throw new Error(failure);
        behave(scenario.handler, () => text(request)).then(said => response.send(said), next);
      });
      app.use(((error, _request, response, _next) => {
        response.status(500).send(error.message);
      }) satisfies express.ErrorRequestHandler);
      return overNode(app, scenario);
    },
  };
}

const connectForm: Form = {
  name: 'Connect',
  overHttp: true,
  run(scenario) {
    const app = connect();
    app.use('/beta', gate(scenario));
    app.use('/beta', (request, response, next) => {
      if (scenario.handler === 'throws') throw new Error(failure);
      behave(scenario.handler, () => text(request)).then(said => response.end(said), next);
    });
    app.use(((error, _request, response, _next) => {
      response.statusCode = 500;
      response.end(error.message);
    }) satisfies connect.ErrorHandleFunction);
    return overNode(app, scenario);
  },
};

const fastifyForm: Form = {
  name: 'Fastify with middie',
  overHttp: true,
  async run(scenario) {
    const app = fastify();
    await app.register(middie);
    app.use('/beta', gate(scenario));
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    app.all('/beta', request => behave(scenario.handler, () => text(request.raw)));
    app.setErrorHandler((error: Error, _request, reply) => reply.status(500).send(error.message));
    try {
      const url = await app.listen({ port: 0, host: '127.0.0.1' });
      return await outcomeOf(await fetch(requestFor(scenario, `${url}/beta`)));
    } finally {
      app.server.closeAllConnections();
      await app.close();
    }
  },
};

const plainForm: Form = {
  name: 'node:http',
  overHttp: true,
  run: scenario =>
    overNode((request, response) => {
      const fail = (error: unknown) => {
        response.statusCode = 500;
        response.end((error as Error).message);
      };
      gate(scenario)(request, response, error => {
        if (error !== undefined) fail(error);
        else behave(scenario.handler, () => text(request)).then(said => response.end(said), fail);
      });
    }, scenario),
};

export const nodeForms: readonly Form[] = [
  expressForm('Express 4', express4),
  expressForm('Express 5', express),
  connectForm,
  fastifyForm,
  plainForm,
];
