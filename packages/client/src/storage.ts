import { type Present, readSnapshot } from './answers.js';
import type { Environment } from './environment.js';
import { HalyardError } from './error.js';
import type { Options, Snapshot, StorageLike } from './types.js';

/** Where answers and the device wait for the next visit. Nothing here throws. */
export interface SafeStorage {
  /** The answers in a slot; null: none that can be used. */
  read(slot: string, subject: string): Present | null;
  write(slot: string, snapshot: Snapshot): void;
  /** The device of this browser: the one that is kept, or a new one. */
  device(): string;
}

const deviceSlot = 'halyard:device';
/** Kept as long as the page lives, for a storage that keeps nothing. */
let pageDevice: string | undefined;

export function openStorage(
  environment: Environment,
  given: Options['storage'],
  onError: (error: HalyardError, once: string) => void,
): SafeStorage {
  const attempt = <Value>(act: (storage: StorageLike) => Value): Value | null => {
    try {
      const storage = given === undefined ? environment.localStorage : given;
      return storage ? act(storage) : null;
    } catch (cause) {
      onError(new HalyardError('STORAGE_FAILED', 'The storage cannot be used.', cause), 'storage');
      return null;
    }
  };
  return {
    read: (slot, subject) =>
      attempt(storage => {
        const text = storage.getItem(slot);
        return text === null ? null : readSnapshot(JSON.parse(text), subject, 'cache');
      }),
    write: (slot, snapshot) => void attempt(storage => storage.setItem(slot, JSON.stringify(snapshot))),
    device() {
      const kept = attempt(storage => storage.getItem(deviceSlot));
      if (kept && /^[\w-]{8,64}$/.test(kept)) return kept;
      pageDevice ??= randomId(environment);
      const device = pageDevice;
      attempt(storage => storage.setItem(deviceSlot, device));
      return device;
    },
  };
}

/** 120 random bits. */
const randomId = ({ crypto }: Environment): string =>
  Array.from(crypto?.getRandomValues(new Uint8Array(24)) ?? [], byte => (byte % 32).toString(32)).join('');
