import { type Context, Hono } from 'hono';
import { requireFeature } from '../../../src/index.js';
import { behave, type Form, outcomeOf, outcomeOfError, requestFor, type Scenario, userOf } from './form.js';

const url = 'http://app.test/beta';

const fetchForm: Form = {
  name: 'fetch handler',
  overHttp: true,
  async run(scenario) {
    const { features, key, answer, handler } = scenario;
    const user = (request: Request) => userOf(request.headers.get('x-user'));
    const device = (request: Request) => request.headers.get('x-device');
    const gated = requireFeature(key, { features, user, device, ...answer })(
      async request => new Response(await behave(handler, () => request.text())),
    );
    return gated(requestFor(scenario, url)).then(outcomeOf, outcomeOfError);
  },
};

const honoGate = ({ features, key, answer }: Scenario) =>
  requireFeature(key, {
    features,
    user: (c: Context) => userOf(c.req.header('x-user')),
    device: (c: Context) => c.req.header('x-device'),
    ...answer,
  });

const honoForm = (name: string, route: (app: Hono, scenario: Scenario) => void): Form => ({
  name,
  overHttp: true,
  async run(scenario) {
    const app = new Hono();
    route(app, scenario);
    app.onError((error, c) => c.text(error.message, 500));
    return outcomeOf(await app.fetch(requestFor(scenario, url)));
  },
});

export const fetchForms: readonly Form[] = [
  fetchForm,
  honoForm('Hono, as middleware', (app, scenario) => {
    app.all('/beta', honoGate(scenario), async c => c.text(await behave(scenario.handler, () => c.req.text())));
  }),
  honoForm('Hono, around a handler', (app, scenario) => {
    app.all(
      '/beta',
      honoGate(scenario)(async c => c.text(await behave(scenario.handler, () => c.req.text()))),
    );
  }),
];
