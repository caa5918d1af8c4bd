/** The orders of the load generator. */
export interface LoadPlan {
  readonly port: number;
  /** Null: each connection sends its next request when the last is answered. A number: requests a second, whether earlier ones are answered or not. */
  readonly rate: number | null;
  /** How many are open; with a rate, how many may be. */
  readonly connections: number;
  /** Seconds before anything is counted. */
  readonly warmup: number;
  readonly seconds: number;
  /** One answer of so many is handed back. */
  readonly sampleEvery: number;
  readonly requests: Requests;
}

export type Requests =
  /** The whole HTTP request of each user, in turn. With a counter, the last of those characters in the text are another number in each request. */
  | { readonly kind: 'each'; readonly texts: readonly string[]; readonly counter?: string }
  /** A user drawn from so many for each request, with a token that is signed then. */
  | {
      readonly kind: 'drawn';
      readonly users: number;
      readonly secret: string;
      readonly beforeToken: string;
      readonly afterToken: string;
    };

export interface Sample {
  /** Which of the users asked. */
  readonly user: number;
  readonly body: string;
}

/** Milliseconds; NaN, which becomes null on its way between processes, where nothing was answered. */
export interface Second {
  readonly answers: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

export interface Measured extends Second {
  readonly seconds: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly sent: number;
  /** Connections that ended, or could not be opened. */
  readonly broken: number;
  /** With a rate: requests for which every connection was still waiting for its answer. */
  readonly turnedAway: number;
  readonly perSecond: readonly Second[];
  readonly samples: readonly Sample[];
}

export type FromGenerator =
  | { readonly kind: 'ready' }
  | { readonly kind: 'started' }
  | { readonly kind: 'measured'; readonly measured: Measured };
