import type { UnsentLimits } from './http/unsent-bytes.js';
import { defaultDocumentLimits } from './operations/document-limits.js';
import type { StreamLimits } from './operations/open-streams.js';
import type { OperationLimits } from './operations/operations.js';
import type { GraphQLBodyLimits } from './protocols/graphql-http.js';
import type { SocketLimits } from './protocols/socket-inbox.js';

/** The most that one client may cost the server. docs/limits.md lists every limit, and the answer to a client that exceeds it. */
export interface ServerLimits extends OperationLimits, StreamLimits, SocketLimits, UnsentLimits, GraphQLBodyLimits {
  /** Bytes of the first line and the headers of a request, together. A token may take most of them. */
  readonly maxHeaderSize: number;
  /** Milliseconds that a connection is kept on which nothing is under way. Node adds up to a second. */
  readonly keepAliveTimeout: number;
  /** Milliseconds within which the headers of a request must have come; then the connection is answered 408. */
  readonly headersTimeout: number;
  /** Milliseconds within which the whole request must have come. */
  readonly requestTimeout: number;
  /** WebSockets and streams of events that one address may hold open. 0: no limit. */
  readonly connectionsPerAddress: number;
  /** Plain requests of one address that may be under way at a time. 0: no limit. */
  readonly requestsPerAddress: number;
  /** Codes for the console that one address may send in a minute. */
  readonly codesPerMinute: number;
  /** How long a stop waits for what is under way, in milliseconds. */
  readonly shutdownGrace: number;
}

export const defaultServerLimits: ServerLimits = Object.freeze({
  ...defaultDocumentLimits,
  keptPerSubscription: 600_000,
  keptPerSocket: 2_000_000,
  keptPerAddress: 64_000_000,
  keptInAll: 512_000_000,
  maxBodySize: 1_000_000,
  bodiesPerAddress: 64_000_000,
  bodiesInAll: 256_000_000,
  maxMessageSize: 1_000_000,
  controlMessageLength: 40_000,
  idLength: 128,
  concurrentPerSocket: 32,
  subscriptionsPerSocket: 100,
  connectionsPerAddress: 1_000,
  requestsPerAddress: 1_000,
  codesPerMinute: 20,
  maxBufferedBytes: 1_000_000,
  unsentPerAddress: 32_000_000,
  unsentInAll: 256_000_000,
  answerTimeout: 10_000,
  // Attributes of 16,384 bytes are 21,846 in a token; the rest is for its other claims, its signature, and other headers.
  maxHeaderSize: 32_768,
  // Longer than most balancers keep theirs, so that they are the ones to close it.
  keepAliveTimeout: 72_000,
  headersTimeout: 20_000,
  requestTimeout: 60_000,
  stallTimeout: 30_000,
  pingInterval: 12_000,
  initTimeout: 5_000,
  shutdownGrace: 3_000,
});
