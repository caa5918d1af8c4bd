import { type DestinationStream, type Logger, pino } from 'pino';
import pinoPretty from 'pino-pretty';

export interface LoggerOptions {
  readonly level: string;
  /** For people rather than for machines. */
  readonly pretty: boolean;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** Nobody should log these; should somebody do so by mistake, they do not come out. */
const redact = [
  'authorization',
  'token',
  'secret',
  '*.authorization',
  '*.headers.authorization',
  '*.token',
  '*.secret',
];

/** One JSON object a line, or coloured text. Written at once, so that the last lines before an exit are not lost. */
export function createLogger({ level, pretty, destination }: LoggerOptions): Logger {
  const options = { level, redact };
  if (!pretty) return destination === undefined ? pino(options) : pino(options, destination);
  return pino(
    options,
    pinoPretty({
      sync: true,
      colorize: true,
      ignore: 'pid,hostname',
      translateTime: 'SYS:HH:MM:ss.l',
      ...(destination === undefined ? {} : { destination: destination as never }),
    }),
  );
}
