import { randomUUID } from 'node:crypto';
import type { Backend, NodeNote } from '../backends/backend.js';
import type { Log } from '../core/log.js';
import {
  allAsks,
  answerFromJson,
  answerToJson,
  asksFromJson,
  asksToJson,
  isAnythingAsked,
  isCovered,
  type NodeAnswer,
  type NodeAsks,
} from '../core/receipt.js';

export interface NodeRoundsOptions {
  readonly backend: Pick<Backend, 'exchangeNotes' | 'onNotes'>;
  /** Whether this process answers what clients of other nodes ask. */
  readonly answersOthers: boolean;
  /** Milliseconds between two looks at whether a node asks, in case a notification was lost. */
  readonly lookInterval: number;
  /** What clients of this node ask now. */
  readonly asks: () => NodeAsks;
  /** What this node says to everything that is asked. */
  readonly answer: (asked: NodeAsks) => Promise<NodeAnswer>;
  /**
   * Told after each round.
   * @param asked what this node answered; clients that have come since were not asked about.
   * @param own what it said. @param others what the other nodes that are known said.
   */
  readonly onRound: (asked: NodeAsks, own: NodeAnswer, others: readonly NodeAnswer[]) => void;
  readonly log: Log;
}

/** Milliseconds between two rounds. */
export const roundInterval = 1_000;

/** The least milliseconds between two rounds: many clients may begin to ask at once. */
const leastPause = 200;

/** Milliseconds until the next look after one has failed, such as on a standby, which has no tables that are not logged. */
const failedLookInterval = 60_000;

/**
 * Lets the nodes of one database answer what clients of one of them ask, once a second for as long as somebody asks.
 *
 * Each node leaves a note: what it asks, and what it says to all that is asked. A node that begins to ask wakes the others; those then
 * take part in rounds until nobody asks, and take their notes away. A node that is not asked writes nothing. A notification that was
 * lost costs some seconds: nodes also look by themselves.
 */
export class NodeRounds {
  readonly #options: NodeRoundsOptions;
  readonly #node = randomUUID();
  readonly #stopListening: () => void;
  /** The notes of the others, as they were read last. */
  #notes: readonly NodeNote[] = [];
  /** What the last note of this node asked. */
  #told: NodeAsks | null = null;
  /** Whether this node may have left a note. */
  #hasNote = false;
  #running: Promise<void> | null = null;
  /** Whether another round is to begin when the running one is over. */
  #isWanted = false;
  #timer: NodeJS.Timeout | null = null;
  #isFailing = false;
  #isClosed = false;
  /** When the last round ended, as `performance.now()` has it. */
  #endedAt = Number.NEGATIVE_INFINITY;

  constructor(options: NodeRoundsOptions) {
    this.#options = options;
    this.#stopListening = options.answersOthers ? options.backend.onNotes(() => this.begin()) : () => {};
    this.#beginLater();
  }

  /** Begins a round, now or a moment after the last one: what clients ask has changed. */
  begin(): void {
    if (this.#isClosed) return;
    if (this.#running !== null) {
      this.#isWanted = true;
      return;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const pause = Math.ceil(this.#endedAt + leastPause - performance.now());
    if (pause > 0) {
      this.#timer = setTimeout(() => this.begin(), pause).unref();
      return;
    }
    this.#isWanted = false;
    this.#running = this.#round().finally(() => {
      this.#running = null;
      this.#endedAt = performance.now();
      if (this.#isWanted) this.begin();
      else this.#beginLater();
    });
  }

  /** Stops, and takes the note away. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
    if (this.#hasNote) await this.#exchange(null, null).catch(() => {});
  }

  get #asked(): NodeAsks {
    return allAsks([this.#options.asks(), ...this.#notes.map(({ asks }) => asksFromJson(asks))]);
  }

  #beginLater(): void {
    if (this.#isClosed) return;
    const { answersOthers, lookInterval } = this.#options;
    const isAsked = isAnythingAsked(this.#asked);
    if (!isAsked && !answersOthers) return;
    const look = this.#isFailing ? Math.max(lookInterval, failedLookInterval) : lookInterval;
    this.#timer = setTimeout(() => this.begin(), isAsked ? roundInterval : look).unref();
  }

  async #round(): Promise<void> {
    const { answer, log } = this.#options;
    let asked = this.#asked;
    let own = await answer(asked);
    try {
      await this.#tell(asked, own);
      // What others ask is known only now.
      const isNew = !isCovered(this.#asked, asked);
      if (isNew || (this.#hasNote && !isAnythingAsked(this.#asked))) {
        asked = this.#asked;
        own = await answer(asked);
        await this.#tell(asked, own);
      }
      if (this.#isFailing) log.info({}, 'What nodes tell one another of receipts can be read again.');
      this.#isFailing = false;
    } catch (error) {
      this.#notes = [];
      if (!this.#isFailing) log.warn({ err: error }, alone);
      this.#isFailing = true;
    }
    if (this.#isClosed) return;
    const others = this.#notes.map(note => answerFromJson(note.answer));
    this.#options.onRound(
      asked,
      own,
      others.filter(other => other !== null),
    );
  }

  async #tell(asked: NodeAsks, own: NodeAnswer): Promise<void> {
    const asks = this.#options.asks();
    const isAsking = isAnythingAsked(asks);
    const isNews = isAsking && (this.#told === null || !isCovered(asks, this.#told));
    await this.#exchange(isAsking ? asks : null, isAnythingAsked(asked) ? own : null, isNews);
    this.#told = isAsking ? asks : null;
  }

  async #exchange(asks: NodeAsks | null, answer: NodeAnswer | null, isNews = false): Promise<void> {
    const isNote = asks !== null || answer !== null;
    const note = { node: this.#node, asks: asks && asksToJson(asks), answer: answer && answerToJson(answer) };
    this.#hasNote ||= isNote;
    this.#notes = await this.#options.backend.exchangeNotes(this.#hasNote ? note : null, isNews);
    if (!isNote) this.#hasNote = false;
  }
}

const alone =
  'What nodes tell one another of receipts cannot be written or read. Receipts and audiences count this node alone.';
