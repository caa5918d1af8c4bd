/** The media types that a client accepts for a subscription, or for the errors in place of one. */
export interface Accepted {
  /** Whether it takes server-sent events. */
  readonly events: boolean;
  /** The kind of JSON that it takes; null: none. */
  readonly json: 'application/json' | 'application/graphql-response+json' | null;
}

/** Reads an `Accept` header, which Node bounds; absent: everything. Weights do not count, the order does, as in Yoga. */
export function readAccepted(header: string | undefined): Accepted {
  const ranges = (header || '*/*')
    .toLowerCase()
    .split(',')
    .flatMap(range => {
      const [type = '', ...params] = range.split(';').map(part => part.trim());
      const charset = params.find(param => param.startsWith('charset='));
      return charset === undefined || charset === 'charset=utf-8' ? [type] : [];
    });
  const first = ranges.find(range => Object.hasOwn(jsonByRange, range));
  return {
    events: ranges.some(range => range === '*/*' || range === 'text/*' || range === 'text/event-stream'),
    json: first === undefined ? null : jsonByRange[first as keyof typeof jsonByRange],
  };
}

const jsonByRange = {
  '*/*': 'application/json',
  'application/*': 'application/json',
  'application/json': 'application/json',
  'application/graphql-response+json': 'application/graphql-response+json',
} as const;
