import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { DatabaseUrl } from '../core/database-url.js';
import { DatabaseSetupError } from './errors.js';

/**
 * The TLS settings of an address, as in libpq. `require` encrypts, and checks the certificate only if a root certificate is
 * given. `verify-ca` requires a certificate of a known authority, and `verify-full` also one for this host. False: no TLS, as on
 * every Unix socket.
 * @param setting that has the address, for messages.
 * @throws DatabaseSetupError when a file that the address names cannot be read.
 */
export async function tlsOf(url: DatabaseUrl, setting: string): Promise<ConnectionOptions | false> {
  const { sslMode, sslRootCert, sslCert, sslKey, host } = url;
  if (sslMode === 'disable' || host.startsWith('/')) return false;
  // `system` means the authorities that Node knows.
  const ca =
    sslRootCert === undefined || sslRootCert === 'system' ? undefined : await read('sslrootcert', sslRootCert, setting);
  return {
    rejectUnauthorized: sslMode !== 'require' || ca !== undefined,
    ...(ca === undefined ? {} : { ca }),
    ...(sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    ...(sslCert === undefined ? {} : { cert: await read('sslcert', sslCert, setting) }),
    ...(sslKey === undefined ? {} : { key: await read('sslkey', sslKey, setting) }),
  };
}

async function read(parameter: string, path: string, setting: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseSetupError(`The file that ${parameter} names in ${setting} cannot be read: ${reason}.`, {
      cause: error,
    });
  }
}

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

/** Turns a TLS failure into an error with the remedy. Null for any other error. */
export function explainTlsError(error: unknown, { sslRootCert }: DatabaseUrl): DatabaseSetupError | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as { code?: unknown };
  const explain = (text: string) => new DatabaseSetupError(text, { cause: error });
  if (error.message === 'The server does not support SSL connections') {
    return explain('The database server does not speak TLS: turn it on there (ssl = on), or write sslmode=disable.');
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return explain(
      `The database server's certificate is not for this host: ${error.message}. Write the host as the certificate has ` +
        'it, or sslmode=verify-ca, which accepts any host of that authority.',
    );
  }
  if (code === '28000' && /no encryption|SSL off/.test(error.message)) {
    return explain(
      'The database server accepts only connections with TLS: write sslmode=verify-full, with sslrootcert=/path/to/ca.pem where its ' +
        `authority is not a public one, or sslmode=require, which does not check the server's identity. It says: ${error.message}.`,
    );
  }
  if (typeof code !== 'string') return null;
  if (untrusted.has(code)) {
    if (sslRootCert !== undefined) {
      return explain(
        `The database server's certificate is not signed by the authority in sslrootcert=${sslRootCert} (${error.message}): name the file ` +
          "of the right authority's certificate, or leave sslrootcert out and write sslmode=require, which does not check the server's identity.",
      );
    }
    return explain(
      `The database server's certificate is signed by an authority that is not trusted here (${error.message}): name the file of the ` +
        "authority's certificate with sslrootcert=/path/to/ca.pem, or write sslmode=require, which does not check the server's identity.",
    );
  }
  if (/^(CERT_|ERR_SSL_|ERR_OSSL_)/.test(code)) return explain(`TLS with the database server fails: ${error.message}.`);
  return null;
}
