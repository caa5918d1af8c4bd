import { Command } from 'commander';
import { readConfig } from '../config.js';
import { packageVersion } from '../core/package-version.js';
import type { ConsoleOptions } from './console.js';
import type { Output } from './serve.js';
import { settingsHelp } from './settings-help.js';
import type { TokenOptions } from './token.js';
import type { TypesOptions } from './types.js';

export interface Terminal {
  readonly output: Output;
  readonly errors: Output;
}

/** The command line. Each command loads its code only when it runs, so that help and tokens are fast. */
export function createProgram({ output, errors }: Terminal, env: NodeJS.ProcessEnv): Command {
  const program = new Command('halyard')
    .description('Feature flags over GraphQL, with live updates for every client.')
    .version(packageVersion(), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help')
    .showHelpAfterError('(--help shows commands and options)')
    .configureOutput({ writeOut: text => output.write(text), writeErr: text => errors.write(text) })
    .exitOverride();

  program
    .command('serve')
    .description('Start the server. It first creates or updates its database.')
    .addHelpText('after', () => settingsHelp())
    .action(async () => {
      const { serve } = await import('./serve.js');
      await serve(readConfig(env), output);
    });

  program
    .command('token')
    .description('Create a token, signed with the secret of the server, and print it.')
    .option('--user <id>', 'the id of the user; with --admin the author of its changes')
    .option('--service', 'for a backend: may evaluate flags for any user')
    .option('--reader', 'for a build server or a support desk: may read everything, and changes nothing')
    .option('--admin', 'for an admin: may read and change everything')
    .option('--expires <time>', 'the lifetime, such as 30s, 15m, 1h or 7d, at most 3650d', '1h')
    .option('--attributes <json>', 'attributes of the user as JSON, such as \'{"plan":"pro"}\'')
    .addHelpText(
      'after',
      `
The secret is AUTH_JWT_SECRET. If this is not set, it is the secret in HALYARD_DATA_DIR, which is created
if there is none.

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
    .command('console')
    .description('Print an address that signs you in to the web console, once and within a minute.')
    .option('--user <id>', 'the author of your changes; default: your name on this machine')
    .option('--expires <time>', 'how long you stay signed in, such as 30m, 8h or 7d, at most 30d', '12h')
    .option('--url <address>', 'the address of the server; default: PUBLIC_URL, or HOST and PORT on this machine')
    .option('--open', 'open the address in your browser')
    .addHelpText(
      'after',
      `
The address has a code, which is signed with the secret of the server (AUTH_JWT_SECRET, or the one in HALYARD_DATA_DIR). Run the command
with the settings of the server, while it runs.

Examples:
  $ halyard console --open
  $ halyard console --user kim@example.com --expires 1h --url https://flags.example.com`,
    )
    .action(async (options: ConsoleOptions) => {
      const { addressHint, consoleAddress, openInBrowser } = await import('./console.js');
      const address = await consoleAddress(readConfig(env), options);
      errors.write(`${addressHint}\n`);
      output.write(`${address}\n`);
      if (options.open && !(await openInBrowser(address, env))) {
        errors.write('No browser could be started: open the address yourself.\n');
      }
    });

  program
    .command('migrate')
    .description('Create or update the database, then exit. The server does the same when it starts.')
    .addHelpText(
      'after',
      '\nThe database is the one at DATABASE_URL. If this is not set, it is the embedded database in HALYARD_DATA_DIR.',
    )
    .action(async () => {
      const { migrate } = await import('./migrate.js');
      output.write(`${await migrate(readConfig(env))}\n`);
    });

  program
    .command('types')
    .description('Write the keys of the flags as TypeScript declarations, so that a misspelt key does not compile.')
    .requiredOption('--out <file>', 'the file to write, such as features.d.ts; its directory must exist')
    .option('--url <address>', 'ask the server at this address, instead of the database in the settings')
    .option('--token <token>', 'a reader or admin token for the server; it is safer in HALYARD_TOKEN')
    .option('--client', 'declare the keys for @halyard/client, in place of those for halyard')
    .option('--no-openfeature', 'leave the keys that the clients of OpenFeature take as they are')
    .option('--check', 'write nothing; exit with 1 if the file is out of date, and list the keys that differ')
    .addHelpText(
      'after',
      `
Without --url the command reads the database at DATABASE_URL. If this is not set, it reads the embedded database in
HALYARD_DATA_DIR, which no server may use at the same time. It never changes the database.

Add the file to "include" in your tsconfig.json, and commit it. If there are no flags, no key compiles.

Examples:
  $ halyard types --out src/features.d.ts
  $ HALYARD_TOKEN=$(halyard token --reader) halyard types --out src/features.d.ts --url http://127.0.0.1:4000
  $ halyard types --client --out web/src/features.d.ts
  $ halyard types --out src/features.d.ts --check`,
    )
    .action(async (options: TypesOptions) => {
      const { types } = await import('./types.js');
      output.write(`${await types(env, options)}\n`);
    });

  return program;
}
