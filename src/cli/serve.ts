import type { Config } from '../config.js';
import { type RunningServer, startServer } from '../server/index.js';
import { createLogger } from '../server/logger.js';
import { CommandError } from './failure.js';

/** A stream for text. */
export interface Output {
  write(text: string): unknown;
  /** Whether it is a terminal, which a person reads. */
  readonly isTTY?: boolean;
}

/** Milliseconds between two looks at whether npm is still there. */
const parentInterval = 250;

/** Serves until a signal stops it, or npm ends that started it; a second signal ends the process at once. */
export async function serve(config: Config, output: Output): Promise<void> {
  const { log, close } = createLogger({ level: config.logLevel, pretty: output.isTTY ?? false });
  try {
    using signals = new Signals();
    signals.first.then(reason => log.info(reason, 'Stopping.'));
    const server = await startServer(config, { log }).catch(error => {
      throw explainListenError(error, config);
    });
    if (!signals.received) output.write(banner(config, server));
    await signals.first;
    await server.close();
    log.info('Stopped.');
  } finally {
    await close();
  }
}

/** Listens for signals from the beginning: a signal during a slow start stops the server, a second one ends the process. */
class Signals {
  received = false;
  readonly first: Promise<{ readonly signal: NodeJS.Signals } | { readonly reason: string }>;
  #listener: (signal: NodeJS.Signals) => void = () => {};
  #orphaned: NodeJS.Timeout | undefined;

  constructor() {
    this.first = new Promise(resolve => {
      this.#listener = signal => {
        if (this.received) process.exit(1);
        this.received = true;
        resolve({ signal });
      };
      this.#orphaned = onOrphaned(() => {
        this.received = true;
        resolve({ reason: 'npm, which started this process, has ended' });
      });
    });
    process.on('SIGINT', this.#listener);
    process.on('SIGTERM', this.#listener);
  }

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#listener);
    process.off('SIGTERM', this.#listener);
    clearInterval(this.#orphaned);
  }
}

/**
 * Between npm (or npx, pnpm, yarn) and its program there is a shell. A signal that npm gets ends npm and the shell, and the
 * shell does not hand it on: the program notices only that it has another parent.
 */
function onOrphaned(act: () => void): NodeJS.Timeout | undefined {
  if (process.env['npm_lifecycle_event'] === undefined) return undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    act();
  }, parentInterval).unref();
  return timer;
}

function explainListenError(error: unknown, config: Config): unknown {
  const { host } = config;
  const port = error instanceof Error && 'port' in error ? error.port : config.port;
  const setting = port === config.port ? 'PORT' : 'METRICS';
  switch (error instanceof Error && 'syscall' in error && error.syscall === 'listen' && 'code' in error && error.code) {
    case 'EADDRINUSE':
      return new CommandError(
        `Port ${port} on ${host} is in use: stop the program that listens there, or set ${setting} to another port (0 means any free port).`,
      );
    case 'EACCES':
      return new CommandError(
        `Listening on port ${port} is not permitted: set ${setting} to a port from 1024 to 65535.`,
      );
    case 'EADDRNOTAVAIL':
      return new CommandError(
        `This machine has no address ${host}: set HOST to one of its addresses, or to 0.0.0.0 for all of them.`,
      );
    default:
      return isNameFailure(error)
        ? new CommandError(`The host name ${host} is not known: set HOST to an address of this machine.`)
        : error;
  }
}

function isNameFailure(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'getaddrinfo';
}

function banner(config: Config, { url, metricsUrl }: RunningServer): string {
  const where = {
    postgres: 'PostgreSQL at DATABASE_URL',
    embedded: `embedded database in ${config.dataDir}`,
    memory: 'in memory: everything is lost when the server stops',
  }[config.database.kind];
  const mints = config.auth.keys.kind !== 'jwks';
  const header = config.anonymousAllowed
    ? ''
    : ` -H "authorization: Bearer ${mints ? '$(npx halyard token --admin)' : '<token>'}"`;
  return `
Halyard is up at ${url} (${where})

  GraphiQL     ${url}/graphql
${config.console ? `  Console      ${url}/console/${mints ? ' (npx halyard console signs you in)' : ''}\n` : ''}${metricsUrl === null ? '' : `  Metrics      ${metricsUrl}\n`}  Admin token  ${mints ? 'npx halyard token --admin' : 'from your identity provider, with the role "admin"'}
  Try it       curl -s ${url}/graphql -H 'content-type: application/json'${header} -d '{"query":"{ viewer { featureMap } }"}'

`;
}
