import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { readConfig } from '../config.js';
import { settingsHelp } from './settings-help.js';
import type { Terminal } from './terminal.js';
import type { TokenOptions } from './token.js';
import type { TypesOptions } from './types.js';

/** The command line. Each command loads what it needs only when it runs, so that help and tokens come at once. */
export function createProgram({ output, errors }: Terminal, env: NodeJS.ProcessEnv): Command {
  const program = new Command('halyard')
    .description('Feature flags over GraphQL: one server, live for every client.')
    .version(version(), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help')
    .showHelpAfterError('(--help tells more)')
    .configureOutput({ writeOut: text => output.write(text), writeErr: text => errors.write(text) })
    .exitOverride();

  program
    .command('serve')
    .description('Start the server. It creates or updates its database first.')
    .addHelpText('after', () => settingsHelp())
    .action(async () => {
      const { serve } = await import('./serve.js');
      await serve(readConfig(env), output);
    });

  program
    .command('token')
    .description('Mint a token with the secret that the server verifies with, and print it.')
    .option(
      '--user <uuid>',
      'for this user; with --admin or --service the identity that its changes are recorded under',
    )
    .option('--service', 'for a backend, which may evaluate any context')
    .option('--admin', 'for an administrator, who may read and change everything')
    .option('--expires <time>', 'how long it is valid, such as 30s, 15m, 1h or 7d', '1h')
    .option('--attributes <json>', 'attributes to vouch for, such as \'{"plan":"pro"}\'')
    .addHelpText(
      'after',
      `
The secret is AUTH_JWT_SECRET, or else the one in HALYARD_DATA_DIR, made when there is none.

Examples:
  $ halyard token --admin
  $ halyard token --user 5b0ed6f2-6f0c-4b9a-9b50-0a4f4c7f9d11 --attributes '{"plan":"pro"}'
  $ halyard token --service --expires 30d`,
    )
    .action(async (options: TokenOptions) => {
      const { token } = await import('./token.js');
      output.write(`${await token(readConfig(env), options)}\n`);
    });

  program
    .command('migrate')
    .description('Create or update the database and end. The server does the same when it starts.')
    .addHelpText('after', '\nThe database is the one at DATABASE_URL, or else the embedded one in HALYARD_DATA_DIR.')
    .action(async () => {
      const { migrate } = await import('./migrate.js');
      output.write(`${await migrate(readConfig(env))}\n`);
    });

  program
    .command('types')
    .description('Write the keys of the flags as TypeScript declarations, so that a misspelt key does not compile.')
    .requiredOption('--out <file>', 'the file to write, such as features.d.ts; its directory must exist')
    .option('--url <address>', 'ask this server, in place of the database that the settings name')
    .option('--token <token>', 'an admin token for that server; better kept in HALYARD_TOKEN')
    .option('--check', 'write nothing: exit 1 when the file is out of date, and say which keys differ')
    .addHelpText(
      'after',
      `
Without --url the flags are those of the database at DATABASE_URL, or else of the embedded one in HALYARD_DATA_DIR, which
no server may be using meanwhile. The database is read as it is, never updated.

Without flags the file lets no key compile. Include it in your tsconfig.json and commit it.

Examples:
  $ halyard types --out src/features.d.ts
  $ HALYARD_TOKEN=$(halyard token --admin) halyard types --out src/features.d.ts --url http://127.0.0.1:4000
  $ halyard types --out src/features.d.ts --check`,
    )
    .action(async (options: TypesOptions) => {
      const { types } = await import('./types.js');
      output.write(`${await types(env, options)}\n`);
    });

  return program;
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
