/** The npm client's own configuration, as this machine has it. Lockkeeper names no registry of its own. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { NpmOptions } from './ports.ts';

const run = promisify(execFile);
const CONFIG_MS = 30_000;
const REQUEST_MS = 60_000;

/** npm's settings that reach a registry, and their names in its libraries. */
const SETTINGS: Readonly<Record<string, string>> = {
  registry: 'registry',
  'https-proxy': 'httpsProxy',
  proxy: 'proxy',
  noproxy: 'noProxy',
  'strict-ssl': 'strictSSL',
  ca: 'ca',
  'local-address': 'localAddress',
};

/**
 * Registry, scopes, proxy, authorities and credentials from `npm config` and the npmrc files it names. `environment`
 * fills `${NAME}` in those files, as npm does. Throws CONFIG_INVALID where npm cannot be asked: guessing a registry
 * would let a release come from another one than the company's.
 */
export async function npmOptionsOf(
  cwd: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<NpmOptions> {
  const { stdout } = await run('npm', ['config', 'list', '--json'], { cwd, timeout: CONFIG_MS }).catch(
    (cause: Error) => {
      throw new LockkeeperError('CONFIG_INVALID', {
        expected: 'npm to tell its registry (npm config list --json)',
        found: quote(cause.message, 200),
        next: 'Install npm, or put it on the PATH of this process',
        cause,
      });
    },
  );
  const config = JSON.parse(stdout) as Record<string, unknown>;
  const options: Record<string, unknown> = { timeout: REQUEST_MS };
  for (const [key, value] of Object.entries(config)) {
    const name = SETTINGS[key] ?? (/^@[^/:]+:registry$/.test(key) ? key : undefined);
    if (name !== undefined && value !== null && value !== '') options[name] = value;
  }
  if (typeof config.cache === 'string') options.cache = join(config.cache, '_cacache');
  const authorities = typeof config.cafile === 'string' ? await readFile(config.cafile, 'utf8') : null;
  if (authorities !== null) options.ca = certificatesOf(authorities);
  for (const file of [config.globalconfig, config.userconfig, join(cwd, '.npmrc')]) {
    if (typeof file !== 'string') continue;
    Object.assign(options, credentialsIn(await readFile(file, 'utf8').catch(() => ''), environment));
  }
  return options;
}

function certificatesOf(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** `//host/path:_authToken=…` and its kin: settings that `npm config` keeps to itself. */
export function credentialsIn(
  npmrc: string,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of npmrc.split('\n')) {
    const pattern =
      /^\s*(\/\/[^=\s]+:(?:_authToken|_auth|username|_password|certfile|keyfile))\s*=\s*"?(.*?)"?\s*$/;
    const [, key, value] = pattern.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    found[key] = value.replace(/\$\{([^}]+)\}/g, (whole, name: string) => environment[name] ?? whole);
  }
  return found;
}
