/** The command line's settings; the only reader of the environment in this folder. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { MachineFile } from './machine-file.ts';

export interface CliConfig {
  /** Folder of this person on this machine: credentials, keys, store, journals. */
  readonly home: string;
  /** Bearer token that wins over a stored sign-in, and the one registry it is for; for CI. */
  readonly token: {
    readonly secret: string;
    readonly registry: string;
    readonly rootKeys: readonly string[];
    /** How many of them have to have signed; all, where the environment does not say. */
    readonly threshold: number;
  } | null;
  /** Socket of the SSH agent of this session, if there is one. */
  readonly sshAgent: string | null;
  /** File of the root that an administrator pinned for everybody on this machine; it need not be there. */
  readonly rootPin: string;
  /** File that says how long journals are kept and whom else they are told to. */
  readonly audit: MachineFile;
  /** File that says what of the content of answers is looked at, and what is done about it. */
  readonly content: MachineFile;
  /** Base address of an OTLP collector that traces are sent to. */
  readonly collector: string | null;
  readonly color: boolean;
  /** The login name of the person at this machine, for journals when nobody signed in. */
  readonly osUser: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Settings of the command line; `lk serve` takes them as those of others. */
export const KNOWN = new Set([
  'LOCKKEEPER_HOME',
  'LOCKKEEPER_TOKEN',
  'LOCKKEEPER_REGISTRY',
  'LOCKKEEPER_ROOT_KEYS',
  'LOCKKEEPER_ROOT_THRESHOLD',
  'LOCKKEEPER_ROOT_PIN',
  'LOCKKEEPER_AUDIT',
  'LOCKKEEPER_CONTENT',
  'LOCKKEEPER_OTLP',
]);
/** Settings that belong to `lk serve`; they may be present in the same shell. */
const SERVE =
  /^LOCKKEEPER_(DATA|BLOBS|HOST|PORT|TRIAL|PUBLIC_URL|UPSTREAM_CRON|ADVISORIES|ADVISORIES_CRON|FAIL_ON|LICENCES|MAX_REVOCATIONS|TRUST_ROOTS|TUF|TUF_ROOT|TUF_TARGETS|TUF_CRON|GITHUB|GITHUB_TOKEN|WORKERS|ROLE|LOG_LEVEL|WITNESSES|WITNESS_THRESHOLD|PUBLISH|LOCK_SIGNER|OIDC|SCAN_CREDENTIALS)$/;

/** Reads the variables of `KNOWN`. An unknown LOCKKEEPER_ variable refuses with CONFIG_INVALID. */
export function loadCliConfig(env: NodeJS.ProcessEnv, isTerminal: boolean): CliConfig {
  for (const name of Object.keys(env)) {
    if (!name.startsWith('LOCKKEEPER_') || KNOWN.has(name) || SERVE.test(name)) continue;
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: `one of ${[...KNOWN].join(', ')}`,
      found: quote(name),
      next: 'Unset the variable or correct its name',
    });
  }
  return {
    home: env.LOCKKEEPER_HOME || defaultHome(),
    token: tokenOf(env),
    sshAgent: env.SSH_AUTH_SOCK || null,
    rootPin: env.LOCKKEEPER_ROOT_PIN || '/etc/lockkeeper/root-pin.json',
    audit: machineFile(env.LOCKKEEPER_AUDIT, 'audit'),
    content: machineFile(env.LOCKKEEPER_CONTENT, 'content'),
    collector: collectorOf(env.LOCKKEEPER_OTLP),
    color: isTerminal && env.NO_COLOR === undefined && env.TERM !== 'dumb',
    osUser: (env.USER || env.LOGNAME || 'unknown').toLowerCase().replace(/[^a-z0-9._@-]/g, '-'),
    environment: env,
  };
}

function machineFile(named: string | undefined, kind: string): MachineFile {
  return { path: named || `/etc/lockkeeper/${kind}.json`, wanted: Boolean(named) };
}

function collectorOf(address: string | undefined): string | null {
  if (!address) return null;
  if (/^https?:\/\//.test(address) && URL.canParse(address)) return address;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: 'LOCKKEEPER_OTLP as an http or https address, such as http://127.0.0.1:4318',
    found: quote(address),
    next: 'Correct it, or unset it: then no traces are sent',
  });
}

/** Root's own folders are closed to the ordinary user that sandboxes run as, so root's store stands in /var/lib. */
function defaultHome(): string {
  return process.getuid?.() === 0 ? '/var/lib/lockkeeper-client' : join(homedir(), '.lockkeeper');
}

/**
 * A project's file may name any registry and any root: a token goes to the one that the environment names, and only
 * roots that the environment names are believed.
 */
function tokenOf(env: NodeJS.ProcessEnv): CliConfig['token'] {
  const { LOCKKEEPER_TOKEN: secret, LOCKKEEPER_REGISTRY: registry, LOCKKEEPER_ROOT_KEYS: keys } = env;
  if (!secret) return null;
  const rootKeys = (keys ?? '').split(',');
  const needed = env.LOCKKEEPER_ROOT_THRESHOLD || String(rootKeys.length);
  const threshold = /^[1-9][0-9]?$/.test(needed) && Number(needed) <= rootKeys.length ? Number(needed) : 0;
  if (threshold === 0)
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: `LOCKKEEPER_ROOT_THRESHOLD from 1 to ${rootKeys.length}, the number of LOCKKEEPER_ROOT_KEYS`,
      found: quote(needed, 40),
      next: 'Set it as lk token prints it',
    });
  if (registry && URL.canParse(registry) && rootKeys.every((key) => /^sha256:[0-9a-f]{64}$/.test(key)))
    return { secret, registry: registry.replace(/\/+$/, ''), rootKeys, threshold };
  throw new LockkeeperError('CONFIG_INVALID', {
    expected:
      'LOCKKEEPER_REGISTRY and LOCKKEEPER_ROOT_KEYS beside LOCKKEEPER_TOKEN: whom the token is for, and the ids of its root keys',
    found: registry ? `root keys ${quote(keys ?? 'none', 200)}` : 'no registry',
    next: 'Set all three; lk token prints them',
  });
}
