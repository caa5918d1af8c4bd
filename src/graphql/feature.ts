import { encodeGlobalID } from '@pothos/plugin-relay';
import type { Evaluation } from '../core/evaluate.js';
import { builder } from './builder.js';
import { answerDescriptions, EvaluationReasonEnum } from './evaluation.js';
import { ValueType } from './values.js';

/** The global id of a feature. It is the same for all viewers, whose answers differ: a client that changes its user empties its cache. */
export function featureId(key: string): string {
  return encodeGlobalID('Feature', key);
}

/** Flags share their prepared answers between requests, so an id is made once for each of them. */
const ids = new WeakMap<Evaluation, string>();

function idOf(evaluation: Evaluation): string {
  let id = ids.get(evaluation);
  if (id === undefined) {
    id = featureId(evaluation.key);
    ids.set(evaluation, id);
  }
  return id;
}

export const Feature = builder.objectRef<Evaluation>('Feature').implement({
  description:
    'The answer for one flag and the viewer. Client caches store it by its `id`, so an update of `viewerFeatures` reaches every query that shows it.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: t => ({
    // The id field of Relay's plugin is asynchronous, which costs more than the rest of the answer.
    id: t.id({
      description: 'The global id. It depends on the key alone, so the same feature of another viewer has the same id.',
      resolve: idOf,
    }),
    key: t.exposeString('key', { description: "The flag's key." }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether the feature is on.' }),
    reason: t.expose('reason', { type: EvaluationReasonEnum, description: 'The step that decided.' }),
    type: t.expose('type', { type: ValueType, nullable: true, description: answerDescriptions.type }),
    variant: t.exposeString('variant', { nullable: true, description: answerDescriptions.variant }),
    value: t.expose('value', { type: 'JSON', nullable: true, description: answerDescriptions.value }),
  }),
});
