import { graphql } from 'graphql';
import { fieldForms } from '../gated-schemas.js';
import { behave, type Form, type Outcome, requestFor, userOf } from './form.js';

/** Fields of a schema. Their options are those of the other forms, of which `redirectUrl` says nothing to a field. */
export const graphqlForms: readonly Form[] = fieldForms.map(([name, makeSchema]) => ({
  name: `a GraphQL field, ${name}`,
  overHttp: false,
  redirects: false,
  async run(scenario): Promise<Outcome> {
    const { features, key, caller, device, answer, handler } = scenario;
    const schema = makeSchema({
      features,
      gate: { key, ...answer },
      user: () => userOf(caller) as { id: string } | null,
      answer: () => behave(handler, () => requestFor(scenario, 'http://app.test/').text()),
    });
    const { data, errors } = await graphql({ schema, source: '{ gated(name: "x") }', contextValue: { device } });
    const error = errors?.[0];
    if (error === undefined) return { outcome: 'handled', text: String(data?.['gated']) };
    if (error.extensions['code'] !== 'FEATURE_DISABLED') return { outcome: 'failed', error: error.message };
    const { status } = error.extensions['http'] as { status: number };
    return { outcome: 'closed', status, location: null, message: error.message, cacheControl: null };
  },
}));
