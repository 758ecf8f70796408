/** Certificates made by the machine's openssl: an authority, and what it signs. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certified {
  readonly key: string;
  readonly cert: string;
}

export interface Authority extends Certified {
  readonly dir: string;
  readonly name: string;
}

export interface Wanted {
  readonly name: string;
  /** Alternative names: `URI:spiffe://acme/ci`, `DNS:ci.acme.test`. */
  readonly san?: string | readonly string[];
  readonly usage?: 'clientAuth' | 'serverAuth';
  readonly ca?: boolean;
  /** How long it lasts from now; 30 unless told. */
  readonly days?: number;
  /** Names its issuer alone, and not the issuer's key. */
  readonly keyless?: boolean;
  /** Hexadecimal; any where it is not told. */
  readonly serial?: string;
  /** PEM of a key that was certified before; else a new one. */
  readonly key?: string;
}

function openssl(dir: string, words: readonly string[]): void {
  execFileSync('openssl', words, { cwd: dir, stdio: 'pipe' });
}

function newKey(dir: string, name: string): void {
  openssl(dir, ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`]);
}

/** An authority of its own, in a folder of its own. */
export function makeAuthority(dir: string, name: string): Authority {
  newKey(dir, name);
  const extensions = [
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign',
  ];
  const subject = ['-subj', `/CN=${name}`, '-days', '30'];
  openssl(dir, [
    'req',
    '-x509',
    '-new',
    '-key',
    `${name}.key`,
    ...subject,
    ...extensions,
    '-out',
    `${name}.pem`,
  ]);
  return { dir, name, ...read(dir, name) };
}

/** A certificate that the authority signed; an intermediate authority with `ca`. */
export function certify({ dir, name: issuer }: Authority, wanted: Wanted): Authority {
  const { name, san, usage = 'clientAuth', ca = false, days = 30, key, keyless = false, serial } = wanted;
  if (key === undefined) newKey(dir, name);
  else writeFileSync(join(dir, `${name}.key`), key);
  openssl(dir, ['req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`]);
  const lines = ca
    ? ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']
    : ['basicConstraints=critical,CA:FALSE', `extendedKeyUsage=${usage}`];
  if (keyless) lines.push('authorityKeyIdentifier=none');
  if (san !== undefined) lines.push('subjectAltName=@names', '[names]');
  for (const [i, name] of [san ?? []].flat().entries()) lines.push(name.replace(':', `.${i}=`));
  writeFileSync(join(dir, `${name}.ext`), `${lines.join('\n')}\n`);
  const number = serial === undefined ? ['-CAcreateserial'] : ['-set_serial', serial];
  const by = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, ...number];
  openssl(dir, [
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...by,
    '-days',
    String(days),
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.pem`,
  ]);
  return { dir, name, ...read(dir, name) };
}

/** A list of what this authority took back, by serial; it lasts an hour unless told. */
export function revoke(
  { dir, name }: Authority,
  serials: readonly string[],
  { seconds = 3600, der = false, extensions = '' } = {},
): Buffer {
  const lines = serials.map((serial) => `R\t401231000000Z\t261101000000Z\t${serial}\tunknown\t/CN=x\n`);
  writeFileSync(join(dir, `${name}.index`), lines.join(''));
  const extended = extensions === '' ? '' : `crl_extensions = ext\n[ext]\n${extensions}\n`;
  const config = `[ca]\ndefault_ca = d\n[d]\ndatabase = ${name}.index\ndefault_md = sha256\n${extended}`;
  writeFileSync(join(dir, `${name}.cnf`), config);
  const by = ['-config', `${name}.cnf`, '-keyfile', `${name}.key`, '-cert', `${name}.pem`];
  openssl(dir, ['ca', '-gencrl', ...by, '-crlsec', String(seconds), '-out', `${name}.crl`]);
  if (der) openssl(dir, ['crl', '-in', `${name}.crl`, '-outform', 'DER', '-out', `${name}.crl`]);
  return readFileSync(join(dir, `${name}.crl`));
}

function read(dir: string, name: string): Certified {
  return {
    key: readFileSync(join(dir, `${name}.key`), 'utf8'),
    cert: readFileSync(join(dir, `${name}.pem`), 'utf8'),
  };
}
