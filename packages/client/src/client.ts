import { mergeAnswers, nothing, type Present, readSnapshot, updatedAnswers } from './answers.js';
import { createConnection } from './connection.js';
import type { Environment } from './environment.js';
import { HalyardError } from './error.js';
import { eventStream } from './event-stream.js';
import { openStorage } from './storage.js';
import type { Answer, Client, Options, Transport, Update } from './types.js';

/**
 * The answers of one user, kept up to date from now until `close`. Makes no request before the present call stack has ended.
 * A page makes one, and a server that renders pages one for each request.
 */
export const createClient = (options: Options): Client => createClientIn(globalThis as Environment, options);

/** A key: hears of that flag. Undefined: of all. Null: of the status and the source. */
type Listener = readonly [listen: (keys: readonly string[]) => void, about?: string | null];

/** The same with globals that a test decides. */
export function createClientIn(environment: Environment, options: Options): Client {
  const { share, onError, keys = null, transport = eventStream(environment) } = options;
  let { bootstrap } = options;
  const url = options.url.replace(/(\/graphql)?\/*$/, '/graphql');
  /** Empty: not stated, or a visitor without a user. */
  let subject = options.subject ?? bootstrap?.subject ?? '';
  let present = nothing(null);
  /** Whether answers of the user before stay until the first update, as `identify` was asked to. */
  let keepsAnswers = false;
  let isRenewed = false;
  let lastStatus = '';

  const listeners = new Set<Listener>();
  /** What was told of, and is told once. */
  const told = new Set<string>();
  /** Resolve the promises of `identify`. */
  const waiting: (() => void)[] = [];
  let resolveReady = () => {};
  const whenReady = new Promise<void>(resolve => {
    resolveReady = resolve;
  });

  const call = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      // Reported as uncaught.
      environment.queueMicrotask(() => {
        throw error;
      });
    }
  };
  /** Told in a microtask: never in the middle of something, or before the caller has the client. */
  const tell = (error: HalyardError, once = ''): void => {
    if (told.has(once)) return;
    if (once) told.add(once);
    environment.queueMicrotask(() => onError?.(error));
  };
  const notify = (abouts: readonly Listener[1][], changed: readonly string[] = []): void => {
    const meant = new Set(abouts);
    for (const entry of [...listeners]) {
      // An earlier one may have ended it.
      if (meant.has(entry[1]) && listeners.has(entry)) call(() => entry[0](changed));
    }
  };
  const listen = (entry: Listener): (() => void) => {
    listeners.add(entry);
    return () => void listeners.delete(entry);
  };
  const resolveAll = (resolves = waiting.splice(0)): void => {
    for (const resolve of resolves) resolve();
  };

  const storage = openStorage(environment, options.storage, tell);
  const device = (options.deviceId ?? storage.device()) || null;
  const slotOf = (owner: string): string => `halyard:1:${JSON.stringify([url, owner, keys, device])}`;
  /** Whose answers a token earns; null: not stated. Undefined: the token is not known yet. */
  const ownerOf = (token?: string | null): string | null => (token === null || !options.token ? '' : subject || null);

  const announce = (): void => {
    const status = connection.status + present.source;
    if (status === lastStatus) return;
    lastStatus = status;
    notify([null]);
  };
  const show = (next: Present): void => {
    const [answers, changed] = mergeAnswers(present.answers, next.answers);
    present = { ...next, answers };
    if (next.source !== 'default') resolveReady();
    if (changed.length) notify([...changed, undefined], changed);
    announce();
  };
  /** Shows what is known of a user, and nothing else. Null: a user who was not stated. */
  const switchTo = (owner: string | null): void => {
    const kept = owner === null ? null : storage.read(slotOf(owner), owner);
    show(kept ?? nothing(owner));
  };

  const connection = createConnection(
    environment,
    options.hiddenAfter ?? 30_000,
    () => options.token?.() || null,
    token => {
      const owner = ownerOf(token);
      // Nobody sees the answers of a user who is not signed in any more, whatever the page states.
      if (options.token && !keepsAnswers && owner !== present.subject) switchTo(owner);
      const slot = owner === null ? null : slotOf(owner);
      const request = { url, token, device, keys, sinceRevision: present.revision, isRenewed };
      const read = (update: Update) => {
        const { revision } = update;
        const answers = updatedAnswers(present.answers, update);
        // Checked as those of the storage are: another program may answer, or a proxy.
        const next = readSnapshot({ subject: owner, revision, answers }, owner, 'live');
        return () => {
          keepsAnswers = isRenewed = false;
          // A listener may identify the next user, whose promise waits for another update.
          const served = waiting.splice(0);
          if (slot) storage.write(slot, next);
          show(next);
          resolveAll(served);
        };
      };
      return [(share && slot ? share(transport as Transport, slot) : transport) as Transport, request, read];
    },
    announce,
    tell,
  );
  const connect = (): void => {
    if (transport) connection.connect();
    else resolveAll();
  };

  if (bootstrap) {
    try {
      show(readSnapshot(bootstrap, options.subject ?? bootstrap.subject, 'bootstrap'));
    } catch (cause) {
      bootstrap = undefined;
      tell(new HalyardError('BOOTSTRAP_REFUSED', '`bootstrap` is no snapshot of the subject.', cause));
    }
  }
  // With a token to come, only it tells that a visitor is anonymous.
  if (present.source === 'default' && (subject || !options.token)) switchTo(ownerOf());
  connect();

  const evaluate = (key: string): Answer | undefined => present.answers[key];
  return {
    get status() {
      return connection.status;
    },
    get source() {
      return present.source;
    },
    ready: () => whenReady,
    bootstrap,
    isEnabled: (key, fallback = false) => evaluate(key)?.enabled ?? fallback,
    value(key, fallback) {
      const value = evaluate(key)?.value ?? fallback;
      if (typeName(value) === typeName(fallback)) return value as never;
      tell(
        new HalyardError('TYPE_MISMATCH', `The value of "${key}" is ${typeName(value)}, not ${typeName(fallback)}.`),
        `.${key}`,
      );
      return fallback as never;
    },
    evaluate,
    all: () => present.answers,
    onChange: listener => listen([listener]),
    onKey: (key, listener) => listen([listener, key]),
    onStatus: listener => listen([listener, null]),
    identify: ({ subject: stated = subject, clear } = {}) =>
      new Promise(resolve => {
        waiting.push(resolve);
        if (connection.status === 'closed') return resolveAll();
        const isSame = subject === (stated ?? '');
        subject = stated ?? '';
        // Nothing that the token of before has earned is heard from here on.
        connection.reset();
        keepsAnswers = clear === false;
        isRenewed = true;
        const owner = stated === null ? '' : ownerOf();
        // Where the subject is not stated, nobody knows whether it is another one.
        if (clear ?? (!isSame || present.subject === null)) {
          // The slot of the same user holds the same answers.
          if (isSame && owner === present.subject) show(nothing(owner));
          else switchTo(owner);
        }
        connect();
      }),
    snapshot: () => ({ subject: present.subject, revision: present.revision, answers: present.answers }),
    close() {
      connection.close();
      listeners.clear();
      resolveReady();
      resolveAll();
    },
  };
}

const typeName = (value: unknown): string => (Array.isArray(value) ? 'list' : typeof value);
