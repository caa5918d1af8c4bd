/** How a connection is encrypted: not at all, without asking who answers, or with a certificate that is checked. */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/** A PostgreSQL address, taken apart. What is undefined was not stated. */
export interface DatabaseUrl {
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** A host name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number | undefined;
  readonly database: string | undefined;
  /** The schema that holds the tables. */
  readonly schema: string | undefined;
  /** What the server is told at the start of each connection, such as `-c search_path=app`. */
  readonly options: string | undefined;
  readonly sslMode: SslMode;
  /** Files in PEM form. */
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
}

/** The address cannot be used. The message says what is expected and repeats nothing of the address but names. */
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

/**
 * Takes an address apart as libpq does. A password may hold a raw `%`, `#`, `:` or `@`; the host may be missing, or be the
 * directory of a socket in the parameter `host`. Parameters that nothing here knows are ignored, unless they are about TLS.
 * @throws DatabaseUrlError
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const parts = form.exec(text)?.groups;
  const place = placeForm.exec(parts?.['place'] ?? '')?.groups;
  if (parts === undefined || place === undefined) throw new DatabaseUrlError(expected);
  const parameters = parametersOf(parts['query'] ?? '');
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
    schema: parameters.get('schema') || undefined,
    options: parameters.get('options')?.trim() || undefined,
    ...sslOf(parameters),
  };
}

/** The same address with another schema and without its password, to be shown to people. */
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
      // A plus is a blank where blanks are usual, and itself in a password.
      return [decode(name), decode(name === 'options' ? text.replaceAll('+', ' ') : text)];
    }),
  );
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

/** What is encoded is decoded; a percent sign that encodes nothing is one. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, encoded => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}
