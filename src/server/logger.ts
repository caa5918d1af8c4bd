import { type DestinationStream, type Logger, pino } from 'pino';
import pinoPretty from 'pino-pretty';

export interface LoggerOptions {
  readonly level: string;
  /** For people rather than for machines. */
  readonly pretty: boolean;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** Fields that must not be logged. If one is logged by mistake, it is left out. */
const redact = [
  'authorization',
  'token',
  'secret',
  '*.authorization',
  '*.headers.authorization',
  '*.headers["x-api-key"]',
  '["x-api-key"]',
  '*["x-api-key"]',
  '*.token',
  '*.secret',
];

/** Bytes that may wait for a reader of the log that stands still; lines beyond are lost. */
const maxLogBuffer = 16_000_000;

/** Milliseconds that the last lines before an exit may take. */
const closeTime = 1_000;

export interface OwnedLog {
  readonly log: Logger;
  /** Writes the last lines if the output is still read. */
  close(): Promise<void>;
}

/** One JSON object a line, or coloured text. A reader of the log that stands still or is gone never holds up the server. */
export function createLogger({ level, pretty, destination }: LoggerOptions): OwnedLog {
  const options = { level, redact };
  if (pretty) {
    const forPeople = pinoPretty({
      sync: true,
      colorize: true,
      ignore: 'pid,hostname',
      translateTime: 'SYS:HH:MM:ss.l',
      ...(destination === undefined ? {} : { destination: destination as never }),
    });
    return { log: pino(options, forPeople), close: async () => {} };
  }
  if (destination !== undefined) return { log: pino(options, destination), close: async () => {} };
  const output = pino.destination({ sync: false, maxLength: maxLogBuffer });
  return { log: pino(options, output), close: () => close(output) };
}

async function close(output: ReturnType<typeof pino.destination>): Promise<void> {
  await new Promise<void>(resolve => {
    const timer = setTimeout(resolve, closeTime);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    output.once('finish', end).once('error', end);
    output.end();
  });
  // At an exit, pino goes on writing the rest until a reader takes it: without end if there is no reader.
  output.destroy();
}
