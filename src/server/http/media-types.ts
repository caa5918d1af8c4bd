/** The media types that a client accepts for a subscription, or for the errors in place of one. */
export interface Accepted {
  /** Whether it takes server-sent events. */
  readonly events: boolean;
  /** The kind of JSON that it takes; null: none. */
  readonly json: 'application/json' | 'application/graphql-response+json' | null;
}

/** Reads an `Accept` header, which Node bounds; absent: everything. Weights do not count, the order does, as in Yoga. */
export function readAccepted(header: string | undefined): Accepted {
  const ranges = rangesOf(header);
  const first = ranges.find(range => Object.hasOwn(jsonByRange, range));
  return {
    events: ranges.some(range => range === '*/*' || range === 'text/*' || range === 'text/event-stream'),
    json: first === undefined ? null : jsonByRange[first as keyof typeof jsonByRange],
  };
}

/** The ranges that an answer to a query or a mutation fits. */
const answerRanges = new Set([
  ...['*/*', 'application/*', 'application/json', 'application/graphql-response+json'],
  ...['text/*', 'text/event-stream', 'multipart/*', 'multipart/mixed'],
]);

/** Whether a client takes any form that an answer to a query or a mutation can have. */
export function acceptsAnswers(header: string | undefined): boolean {
  return rangesOf(header).some(range => answerRanges.has(range));
}

/** The media types of an `Accept` header, without those in another character set than UTF-8. */
function rangesOf(header: string | undefined): readonly string[] {
  return (header || '*/*')
    .toLowerCase()
    .split(',')
    .flatMap(range => {
      const [type = '', ...params] = range.split(';').map(part => part.trim());
      const charset = params.find(param => param.startsWith('charset='));
      return charset === undefined || charset === 'charset=utf-8' ? [type] : [];
    });
}

const jsonByRange = {
  '*/*': 'application/json',
  'application/*': 'application/json',
  'application/json': 'application/json',
  'application/graphql-response+json': 'application/graphql-response+json',
} as const;
