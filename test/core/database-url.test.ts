import { describe, expect, it } from 'vitest';
import { DatabaseUrlError, parseDatabaseUrl, withSchema } from '../../src/core/database-url.js';

describe('a database address', () => {
  it.each<[string, object]>([
    [
      'postgresql://u:p@h:6432/d',
      { user: 'u', password: 'p', host: 'h', port: 6_432, database: 'd', sslMode: 'disable' },
    ],
    ['postgres://h/d', { user: undefined, password: undefined, host: 'h', port: undefined, database: 'd' }],
    ['postgresql://', { host: 'localhost', database: undefined, user: undefined }],
    ['postgresql:///d?host=/run/pg', { host: '/run/pg', database: 'd' }],
    ['postgresql://u:p@/db?host=/run/pg', { user: 'u', password: 'p', host: '/run/pg', database: 'db' }],
    ['postgresql://u:p@ignored/db?host=%2Frun%2Fpg&port=5433', { host: '/run/pg', port: 5_433 }],
    ['postgresql://u@%2Frun%2Fpg/db', { host: '/run/pg' }],
    ['postgresql://u@[::1]:5433/db', { host: '::1', port: 5_433 }],
    ['postgresql://u:100%@h/d', { password: '100%' }],
    ['postgresql://u:100%25@h/d', { password: '100%' }],
    ['postgresql://u:a%zz%41%E4@h/d', { password: 'a%zz%41%E4' }],
    ['postgresql://u:a%zzb%41@h/d', { password: 'a%zzbA' }],
    ['postgresql://u:p@ss:w#rd@h/d', { password: 'p@ss:w#rd', host: 'h' }],
    ['postgresql://u:a+b@h/d', { password: 'a+b' }],
    ['postgresql://u%40x:%2F%3F@h/my%20db', { user: 'u@x', password: '/?', database: 'my db' }],
    ['postgresql://u:p@h/d?schema=my-app', { schema: 'my-app' }],
    ['postgresql://h/d?schema=', { schema: undefined }],
    [`postgresql://h/d?schema=${'ä'.repeat(31)}a`, { schema: `${'ä'.repeat(31)}a` }],
    ['postgresql://h/d?options=-c+search_path%3Dapp', { options: '-c search_path=app' }],
    ['postgresql://h/d?options=-c search_path=app', { options: '-c search_path=app' }],
    ['postgresql://h/d?pgbouncer=true&connection_limit=1&channel_binding=require', { host: 'h', database: 'd' }],
    ['postgresql://h/d?sslmode=disable', { sslMode: 'disable' }],
    ['postgresql://h/d?sslmode=require', { sslMode: 'require', sslRootCert: undefined }],
    ['postgresql://h/d?sslmode=verify-ca&sslrootcert=/ca.pem', { sslMode: 'verify-ca', sslRootCert: '/ca.pem' }],
    [
      'postgresql://h/d?sslmode=verify-full&sslcert=/c&sslkey=/k',
      { sslMode: 'verify-full', sslCert: '/c', sslKey: '/k' },
    ],
  ])('%s is taken apart', (text, parts) => {
    expect(parseDatabaseUrl(text)).toMatchObject(parts);
  });

  const form = /expected a URL such as postgresql:\/\/user:password@host:5432\/halyard, where \/ and \? of a password/;
  it.each<[string, RegExp]>([
    ['mysql://u:hunter2@h/d', form],
    ['nowhere', form],
    ['postgresql://u:hunter2/x@h/d', form],
    ['postgresql://u:hunter2@h:99999/d', form],
    ['postgresql://u:hunter2,x/y@h/d', form],
    ['postgresql://u:hunter2@a:1,b:2/d', /several hosts are not supported; expected one host, .*follows the primary/],
    ['postgresql://u:hunter2@/d?host=a,b', /several hosts are not supported/],
    ['postgresql://u:hunter2@h/d?port=1,2', /several hosts are not supported/],
    ['host=h port=5432 dbname=d password=hunter2', /keywords such as host= are not supported; expected a URL such as/],
    ['postgresql://h/d?schema=pg_mine', /the schema "pg_mine" begins with pg_, which PostgreSQL keeps for itself/],
    ['postgresql://h/d?schema=a%22b', /the schema a"b has a quotation mark in its name, which Prisma cannot write/],
    ['postgresql://h/d?schema=a%00b', /the schema "a\\u0000b" has a character that PostgreSQL does not take/],
    [`postgresql://h/d?schema=${'ä'.repeat(32)}`, /the schema "ä{32}" has 64 bytes, and PostgreSQL takes at most 63/],
    ['postgresql://h/d?sslmode=nonsense', /sslmode is "nonsense"; expected disable, require, verify-ca, verify-full/],
    [
      'postgresql://h/d?sslmode=prefer',
      /"prefer", which goes on without TLS and says nothing; expected disable, require/,
    ],
    ['postgresql://h/d?sslmode=allow', /goes on without TLS/],
    ['postgresql://h/d?ssl=true', /the parameter "ssl" means nothing; sslmode, sslrootcert, sslcert, sslkey do/],
    ['postgresql://h/d?sslMode=require', /"sslMode" means nothing/],
    ['postgresql://h/d?sslrootcert=/ca.pem', /need sslmode=verify-full/],
    ['postgresql://h/d?sslmode=require&sslcert=/c', /sslcert and sslkey belong together/],
  ])('%s is refused, and the message repeats no secret', (text, message) => {
    const refused = () => parseDatabaseUrl(text);
    expect(refused).toThrow(DatabaseUrlError);
    expect(refused).toThrow(message);
    expect(refused).not.toThrow(/hunter2/);
  });

  it.each([
    ['postgresql://u:hunter2@h:1/d', 'postgresql://u@h:1/d?schema=halyard'],
    ['postgresql://h/d?schema=x&sslmode=require', 'postgresql://h/d?sslmode=require&schema=halyard'],
    ['postgresql:///d?host=/run/pg&password=hunter2', 'postgresql:///d?host=/run/pg&schema=halyard'],
  ])('%s is shown with another schema and without its password', (text, shown) => {
    expect(withSchema(text, 'halyard')).toBe(shown);
  });
});
