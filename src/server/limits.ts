import type { UnsentLimits } from './http/unsent-bytes.js';
import { defaultDocumentLimits } from './operations/document-limits.js';
import type { OperationLimits } from './operations/operations.js';
import type { StreamLimits } from './operations/streams.js';
import type { SocketLimits } from './protocols/socket-inbox.js';

/** The most that one client may cost the server. docs/limits.md lists every limit, and the answer to a client that exceeds it. */
export interface ServerLimits extends OperationLimits, StreamLimits, SocketLimits, UnsentLimits {
  /** Milliseconds within which the headers of a request must have come; then the connection is answered 408. */
  readonly headersTimeout: number;
  /** Milliseconds within which the whole request must have come. */
  readonly requestTimeout: number;
  /** WebSockets and streams of events that one address may hold open. 0: no limit. */
  readonly connectionsPerAddress: number;
  /** Plain requests of one address that may be under way at a time. 0: no limit. */
  readonly requestsPerAddress: number;
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
  maxMessageSize: 1_000_000,
  controlMessageLength: 40_000,
  idLength: 128,
  concurrentPerSocket: 32,
  subscriptionsPerSocket: 100,
  connectionsPerAddress: 1_000,
  requestsPerAddress: 1_000,
  maxBufferedBytes: 1_000_000,
  unsentPerAddress: 32_000_000,
  unsentInAll: 256_000_000,
  answerTimeout: 10_000,
  headersTimeout: 20_000,
  requestTimeout: 60_000,
  stallTimeout: 30_000,
  pingInterval: 12_000,
  initTimeout: 5_000,
  shutdownGrace: 3_000,
});
