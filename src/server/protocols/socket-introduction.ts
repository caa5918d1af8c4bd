import { CloseCode } from 'graphql-ws';
import { type Credential, credentialOfParameters, credentialOfSocket } from '../../auth/credentials.js';
import { deviceOfParameters, deviceOfSocket, type StatedDevice } from '../../auth/devices.js';

/** What the handshake of a socket says of its client. */
export interface StatedByHandshake {
  readonly credential: Credential;
  readonly device: StatedDevice;
}

/** The socket as its introduction uses it. */
export interface IntroductionHost {
  /** Whether bytes of its peer have come and wait for their turn. */
  readonly hasWaiting: boolean;
  close(code: number, reason: string): void;
}

/**
 * What a client says of itself, in its handshake and in `connection_init`. Nothing of it is kept once it is verified. A client
 * that does not send `connection_init` in time is closed with 4408.
 */
export class SocketIntroduction {
  #credential: Credential;
  #device: StatedDevice;
  /** Null when `connection_init` has come. */
  #timer: NodeJS.Timeout | null = null;

  /** @param timeout milliseconds. 0, or more than a timer can wait: no limit. */
  constructor({ credential, device }: StatedByHandshake, host: IntroductionHost, timeout: number) {
    this.#credential = credential;
    this.#device = device;
    if (timeout > 0 && timeout < 2 ** 31) this.#await(host, timeout);
  }

  /** Keeps only the credentials and the device of a `connection_init`. */
  add(payload: unknown): void {
    this.end();
    this.#device = deviceOfSocket(this.#device, deviceOfParameters(payload));
    this.#credential = credentialOfSocket(this.#credential, credentialOfParameters(payload));
  }

  takeCredential(): Credential {
    const credential = this.#credential;
    this.#credential = null;
    return credential;
  }

  takeDevice(): StatedDevice {
    const device = this.#device;
    this.#device = null;
    return device;
  }

  /** Waits for it no longer. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #await(host: IntroductionHost, timeout: number): void {
    this.#timer = setTimeout(() => {
      // Timers come before the bytes that have come meanwhile: those are looked at first.
      setImmediate(() => {
        if (this.#timer === null) return;
        if (host.hasWaiting) this.#await(host, timeout);
        else host.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
      });
    }, timeout);
  }
}
