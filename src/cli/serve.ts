import type { Config } from '../config.js';
import { type RunningServer, startServer } from '../server/index.js';
import { createLogger } from '../server/logger.js';
import { CommandError } from './failure.js';
import type { Output } from './terminal.js';

/** Serves until a signal asks it to stop; a second one does not wait. */
export async function serve(config: Config, output: Output): Promise<void> {
  const log = createLogger({ level: config.logLevel, pretty: output.isTTY ?? false });
  using signals = new Signals();
  signals.first.then(signal => log.info({ signal }, 'stopping'));
  const server = await startServer(config, { log }).catch(error => {
    throw explainListenError(error, config);
  });
  if (!signals.received) output.write(banner(config, server));
  await signals.first;
  await server.close();
  log.info('stopped');
}

/** Listens from the start: a signal during a slow start stops what has been started, a second one ends it at once. */
class Signals {
  received = false;
  readonly first: Promise<NodeJS.Signals>;
  #listener: (signal: NodeJS.Signals) => void = () => {};

  constructor() {
    this.first = new Promise(resolve => {
      this.#listener = signal => {
        if (this.received) process.exit(1);
        this.received = true;
        resolve(signal);
      };
    });
    process.on('SIGINT', this.#listener);
    process.on('SIGTERM', this.#listener);
  }

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#listener);
    process.off('SIGTERM', this.#listener);
  }
}

function explainListenError(error: unknown, config: Config): unknown {
  const { host } = config;
  const port = error instanceof Error && 'port' in error ? error.port : config.port;
  const setting = port === config.port ? 'PORT' : 'METRICS';
  switch (error instanceof Error && 'syscall' in error && error.syscall === 'listen' && 'code' in error && error.code) {
    case 'EADDRINUSE':
      return new CommandError(
        `Port ${port} on ${host} is in use: stop what listens there, or set ${setting} to another one (0: any free one).`,
      );
    case 'EACCES':
      return new CommandError(`Listening on port ${port} is not permitted: set ${setting} to one from 1024 up.`);
    case 'EADDRNOTAVAIL':
      return new CommandError(`This machine has no address ${host}: set HOST to one that it has, or to 0.0.0.0.`);
    default:
      return isNameFailure(error)
        ? new CommandError(`The host name ${host} is not known: set HOST to an address.`)
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
    memory: 'in memory: everything is forgotten at the end',
  }[config.database.kind];
  const mints = config.auth.keys.kind !== 'jwks';
  const header = config.anonymousAllowed
    ? ''
    : ` -H "authorization: Bearer ${mints ? '$(npx halyard token --admin)' : '<token>'}"`;
  return `
Halyard is up at ${url} (${where})

  GraphiQL     ${url}/graphql
${metricsUrl === null ? '' : `  Metrics      ${metricsUrl}\n`}  Admin token  ${mints ? 'npx halyard token --admin' : 'from your identity provider, with the role "admin"'}
  Try it       curl -s ${url}/graphql -H 'content-type: application/json'${header} -d '{"query":"{ viewer { featureMap } }"}'

`;
}
