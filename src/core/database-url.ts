/** How a connection is encrypted: not at all, without checking the server's certificate, or with the check. */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/** The parts of a PostgreSQL address. Undefined parts were not given. */
export interface DatabaseUrl {
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** A host name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number | undefined;
  readonly database: string | undefined;
  /** The schema that holds the tables. */
  readonly schema: string | undefined;
  /** Options that the server gets at the start of each connection, such as `-c search_path=app`. */
  readonly options: string | undefined;
  readonly sslMode: SslMode;
  /** Files in PEM form. */
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
}

/** The address cannot be used. The message states the expected form and repeats only names from the address. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError';
}

const sslModes: readonly string[] = ['disable', 'require', 'verify-ca', 'verify-full'] satisfies SslMode[];
const sslParameters = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'];
const form =
  /^postgres(?:ql)?:\/\/(?:(?<credentials>[^/?]*)@)?(?<place>[^/?@]*)(?:\/(?<database>[^?]*))?(?:\?(?<query>.*))?$/;
const placeForm = /^(?<host>\[[^\]]*\]|[^:]*)(?::(?<port>\d{1,5})?)?$/;
const expected =
  'expected a URL such as postgresql://user:password@host:5432/halyard, where / and ? of a password are written %2F and %3F';
const severalHosts =
  'several hosts are not supported; expected one host, such as a name or a proxy that follows the primary';
/** The longest name in PostgreSQL, in bytes. It cuts longer ones. */
const longestSchema = 63;

/**
 * Reads an address as libpq does, except for several hosts and the form with keywords. A password may hold a raw `%`, `#`, `:` or `@`. The host may be missing, or be the
 * directory of a socket in the parameter `host`. Unknown parameters are ignored, except those about TLS.
 * @throws DatabaseUrlError
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const parts = form.exec(text)?.groups;
  const place = placeForm.exec(parts?.['place'] ?? '')?.groups;
  if (parts === undefined) {
    const why = /^\s*\w+\s*=/.test(text) ? 'keywords such as host= are not supported; ' : '';
    throw new DatabaseUrlError(why + expected);
  }
  const parameters = parametersOf(parts['query'] ?? '');
  // An unencoded / in a password moves its @ into the database.
  const places = [
    parts['database']?.includes('@') ? '' : parts['place'],
    parameters.get('host'),
    parameters.get('port'),
  ];
  if (places.some(each => each?.includes(','))) throw new DatabaseUrlError(severalHosts);
  if (place === undefined) throw new DatabaseUrlError(expected);
  const credentials = parts['credentials'];
  const colon = credentials?.indexOf(':') ?? -1;
  const user = colon < 0 ? credentials : credentials?.slice(0, colon);
  const port = place['port'] ?? parameters.get('port');
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535)) throw new DatabaseUrlError(expected);
  const host = parameters.get('host') ?? decode(place['host'] ?? '').replace(/^\[(.*)\]$/, '$1');
  return {
    user: parameters.get('user') ?? (user ? decode(user) : undefined),
    password: parameters.get('password') ?? (colon < 0 ? undefined : decode(credentials?.slice(colon + 1) ?? '')),
    host: host || 'localhost',
    port: port === undefined ? undefined : Number(port),
    database: parameters.get('dbname') ?? (parts['database'] ? decode(parts['database']) : undefined),
    schema: schemaOf(parameters.get('schema')),
    options: parameters.get('options')?.trim() || undefined,
    ...sslOf(parameters),
  };
}

/** The same address with another schema and without its password, for messages. */
export function withSchema(text: string, schema: string): string {
  const parts = form.exec(text)?.groups;
  const user = parts?.['credentials']?.replace(/:.*$/s, '');
  const query = (parts?.['query'] ?? '').split('&').filter(each => each !== '' && !/^(schema|password)=/.test(each));
  const parameters = [...query, `schema=${encodeURIComponent(schema)}`].join('&');
  return `postgresql://${user ? `${user}@` : ''}${parts?.['place'] ?? ''}/${parts?.['database'] ?? ''}?${parameters}`;
}

function parametersOf(query: string): ReadonlyMap<string, string> {
  const pairs = query.split('&').filter(pair => pair !== '');
  return new Map(
    pairs.map(pair => {
      const [name = '', ...value] = pair.split('=');
      const text = value.join('=');
      // A plus means a space in `options`. In a password it is a plus.
      return [decode(name), decode(name === 'options' ? text.replaceAll('+', ' ') : text)];
    }),
  );
}

function schemaOf(schema: string | undefined): string | undefined {
  if (!schema) return undefined;
  if (schema.includes('"')) {
    throw new DatabaseUrlError(`the schema ${schema} has a quotation mark in its name, which Prisma cannot write`);
  }
  const shown = `the schema ${JSON.stringify(schema)}`;
  if (schema.includes('\0')) throw new DatabaseUrlError(`${shown} has a character that PostgreSQL does not take`);
  if (schema.startsWith('pg_')) {
    throw new DatabaseUrlError(`${shown} begins with pg_, which PostgreSQL keeps for itself; expected another name`);
  }
  const bytes = Buffer.byteLength(schema);
  if (bytes > longestSchema) {
    throw new DatabaseUrlError(`${shown} has ${bytes} bytes, and PostgreSQL takes at most ${longestSchema}`);
  }
  return schema;
}

function sslOf(parameters: ReadonlyMap<string, string>) {
  const unknown = [...parameters.keys()].find(name => /ssl/i.test(name) && !sslParameters.includes(name));
  if (unknown !== undefined) {
    throw new DatabaseUrlError(
      `the parameter ${JSON.stringify(unknown)} means nothing; ${sslParameters.join(', ')} do`,
    );
  }
  const mode = parameters.get('sslmode') ?? 'disable';
  if (!sslModes.includes(mode)) {
    const why = /^(prefer|allow)$/.test(mode) ? ', which goes on without TLS and says nothing' : '';
    throw new DatabaseUrlError(`sslmode is ${JSON.stringify(mode)}${why}; expected ${sslModes.join(', ')}`);
  }
  const [sslRootCert, sslCert, sslKey] = ['sslrootcert', 'sslcert', 'sslkey'].map(name => parameters.get(name));
  if (mode === 'disable' && (sslRootCert ?? sslCert ?? sslKey) !== undefined) {
    throw new DatabaseUrlError(
      'sslrootcert, sslcert and sslkey need sslmode=verify-full, verify-ca or require beside them',
    );
  }
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    throw new DatabaseUrlError('sslcert and sslkey belong together: give both, or neither');
  }
  return { sslMode: mode as SslMode, sslRootCert, sslCert, sslKey };
}

/** Decodes percent-encoded characters. A percent sign that encodes nothing stays as it is. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, encoded => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}
