/** The registry's settings; the only reader of its environment. An unknown LOCKKEEPER_ variable refuses to start. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import cron from 'node-cron';
import type { BucketSetting } from '../runtime/store/bucket-setting.ts';
import { quote } from '../schemas/errors.ts';
import { DEFAULT_POLICY, type Policy } from '../schemas/policy.ts';
import type { PublishSetting } from './checkpoints/publish.ts';
import { badSetting } from './settings/bad.ts';
import { licencesOf } from './settings/licences.ts';
import { blobsOf, publishOf } from './settings/places.ts';
import { WITNESSES_PATTERN, type WitnessSetting, witnessesOf } from './settings/witnesses.ts';
import { TARGETS_PATTERN, type TufSetting, tufOf } from './tuf/setting.ts';

export interface RegistryConfig {
  /** Folder of blobs, keys and, without DATABASE_URL, the database. */
  readonly dataDir: string;
  /** The bucket of the blobs; null for a folder in dataDir. */
  readonly blobs: BucketSetting | null;
  readonly host: string;
  readonly port: number;
  /** Address that people and locks use; null for http://host:port. */
  readonly publicUrl: string | null;
  /** Null brings up a database of its own under dataDir. */
  readonly databaseUrl: string | null;
  readonly trial: boolean;
  /** Folder of the trust files that root.json pins. */
  readonly trustRoots: string;
  /** Where newer ones are asked for, and when; null: nowhere. */
  readonly tuf: TufSetting | null;
  readonly tufCron: string;
  /** Base address of GitHub's API; null: it is not asked. */
  readonly github: string | null;
  /** File with the token that it is asked with. */
  readonly githubToken: string | null;
  /** Cron expression of the upstream watch. */
  readonly upstreamCron: string;
  /** File of the identity provider that people sign in with; null: one-time codes alone. */
  readonly oidc: string | null;
  /** Folder or address of the advisory feed; null for none. */
  readonly advisories: string | null;
  /** Cron expression of reading it. */
  readonly advisoriesCron: string;
  /** Releases that known malware may revoke in a day without a person. */
  readonly maxRevocations: number;
  /** The least severity of a known vulnerability that fails gates; null: they warn. */
  readonly failOn: Policy['advisories']['failOn'];
  /** SPDX ids of licences that packages may be under; null: any. */
  readonly licences: readonly string[] | null;
  /** File of what scans show to remote servers; null: nothing. */
  readonly scanCredentials: string | null;
  /** Scans at the same time in this process. */
  readonly workers: number;
  readonly role: 'all' | 'registry' | 'scanner';
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  /** Who cosigns checkpoints, and how many of them one takes; null leaves the root as it is. */
  readonly witnesses: WitnessSetting | null;
  /** Path of the reference to a lock key behind a program; null keeps to the keys folder. */
  readonly lockSigner: string | null;
  /** Where checkpoints are published. */
  readonly publish: PublishSetting | null;
  /** Options of the npm client; null takes what npm is configured with. For drills and tests. */
  readonly npm: Readonly<Record<string, unknown>> | null;
  /** What fills `${NAME}` in npmrc files. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface Setting {
  readonly help: string;
  readonly pattern: RegExp;
}

/** Every variable, what it means and what it may be. `lk serve --help` and the docs speak of these. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  LOCKKEEPER_DATA: { help: 'folder of everything the registry knows', pattern: /^.+$/ },
  LOCKKEEPER_BLOBS: {
    help: 's3://BUCKET/PREFIX: blobs are in a bucket (operate.md); unset: in a folder, blobs in the data folder',
    pattern: /^s3:\/\/.+$/,
  },
  LOCKKEEPER_HOST: { help: 'address to listen on (127.0.0.1)', pattern: /^[A-Za-z0-9.:-]+$/ },
  LOCKKEEPER_PORT: { help: 'port to listen on (7411); 0 takes a free one', pattern: /^\d{1,5}$/ },
  LOCKKEEPER_PUBLIC_URL: { help: 'address that people and locks use', pattern: /^https?:\/\/\S+[^/]$/ },
  LOCKKEEPER_TRIAL: {
    help: 'true: one approval is enough, and everything says so',
    pattern: /^(true|false)$/,
  },
  LOCKKEEPER_OIDC: {
    help: 'file of the identity provider that people sign in with (operate.md); unset: one-time codes alone',
    pattern: /^\/.+$/,
  },
  LOCKKEEPER_TRUST_ROOTS: {
    help: 'folder of the trust files that root.json pins (trust-roots in the data folder)',
    pattern: /^\/.+$/,
  },
  LOCKKEEPER_TUF: {
    help: 'address of a TUF repository to ask for newer trust files; unset: nobody is asked',
    pattern: /^https?:\/\/[^\s?#]+$/,
  },
  LOCKKEEPER_TUF_ROOT: { help: 'path of its root.json, to begin with', pattern: /^\/.+$/ },
  LOCKKEEPER_TUF_TARGETS: {
    help: 'what to take of it: NAME=PATH, comma-separated (sigstore=trusted_root.json)',
    pattern: TARGETS_PATTERN,
  },
  LOCKKEEPER_TUF_CRON: { help: 'when to ask it (43 */6 * * *)', pattern: /^[\d*/, -]+$/ },
  LOCKKEEPER_GITHUB: {
    help: "address of GitHub's API (https://api.github.com); none: it is not asked",
    pattern: /^(none|https?:\/\/[^\s?#]+[^/])$/,
  },
  LOCKKEEPER_GITHUB_TOKEN: {
    help: 'path of a file with a token for it; unset: few questions',
    pattern: /^\/.+$/,
  },
  LOCKKEEPER_UPSTREAM_CRON: {
    help: 'when to look upstream for new versions and for what changed (7 * * * *)',
    pattern: /^[\d*/, -]+$/,
  },
  LOCKKEEPER_ADVISORIES: {
    help: 'folder or address of advisories in the OSV format; unset: only what is imported',
    pattern: /^(\/.+|https?:\/\/[^\s?#]+)$/,
  },
  LOCKKEEPER_ADVISORIES_CRON: {
    help: 'when to look for new advisories (19 * * * *)',
    pattern: /^[\d*/, -]+$/,
  },
  LOCKKEEPER_MAX_REVOCATIONS: {
    help: 'releases that known malware revokes in a day without a person (5)',
    pattern: /^\d{1,4}$/,
  },
  LOCKKEEPER_FAIL_ON: {
    help: 'known vulnerabilities that fail lk ci: critical, high, medium or low and above; unset: they warn',
    pattern: /^(critical|high|medium|low)$/,
  },
  LOCKKEEPER_LICENCES: {
    help: 'licences that packages may be under, SPDX ids, comma-separated; LK-LIC-01 gates then (any)',
    pattern: /^[A-Za-z0-9.+ ,-]+$/,
  },
  LOCKKEEPER_SCAN_CREDENTIALS: {
    help: 'file of what scans show to remote servers that want to know who asks (remote.md); unset: nothing',
    pattern: /^\/.+$/,
  },
  LOCKKEEPER_WORKERS: { help: 'scans at the same time (2)', pattern: /^[1-9]\d?$/ },
  LOCKKEEPER_ROLE: { help: 'all, registry or scanner', pattern: /^(all|registry|scanner)$/ },
  LOCKKEEPER_LOG_LEVEL: {
    help: 'silent, error, warn, info or debug (warn)',
    pattern: /^(silent|error|warn|info|debug)$/,
  },
  LOCKKEEPER_WITNESSES: {
    help: 'who cosigns the log: KEY@URL, comma-separated, or none; unset leaves the root as it is',
    pattern: WITNESSES_PATTERN,
  },
  LOCKKEEPER_WITNESS_THRESHOLD: {
    help: 'how many of the witnesses a checkpoint takes (more than half of them)',
    pattern: /^\d{1,2}$/,
  },
  LOCKKEEPER_LOCK_SIGNER: {
    help: 'path of a key reference (lk keys new --command): locks are signed by its program',
    pattern: /^\/.+$/,
  },
  LOCKKEEPER_PUBLISH: {
    help: 'where to publish checkpoints: a folder, git:FOLDER (a work tree) or s3://BUCKET/PREFIX',
    pattern: /^((git:)?\/|s3:\/\/).+$/,
  },
};
/** Variables of the command line, which may be set in the same shell. */
const FOREIGN = new Set([
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

/** Reads the environment. Throws CONFIG_INVALID naming the variable. */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): RegistryConfig {
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('LOCKKEEPER_') || value === undefined || FOREIGN.has(name)) continue;
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (!setting) throw badSetting(`one of ${Object.keys(SETTINGS).join(', ')}`, quote(name));
    if (!setting.pattern.test(value)) throw badSetting(`${name}: ${setting.help}`, quote(value));
  }
  if (env.DATABASE_URL !== undefined && !/^postgres(ql)?:\/\//.test(env.DATABASE_URL))
    throw badSetting('DATABASE_URL as postgres://…', 'another scheme');
  if (Number(env.LOCKKEEPER_PORT ?? 0) > 65_535)
    throw badSetting('LOCKKEEPER_PORT of at most 65535', quote(env.LOCKKEEPER_PORT ?? ''));
  for (const name of ['LOCKKEEPER_UPSTREAM_CRON', 'LOCKKEEPER_ADVISORIES_CRON', 'LOCKKEEPER_TUF_CRON']) {
    const given = env[name];
    if (given !== undefined && !cron.validate(given))
      throw badSetting(`${name} as a cron expression, such as 7 * * * *`, quote(given));
  }
  if (/^http/.test(env.LOCKKEEPER_ADVISORIES ?? '') && !URL.canParse(env.LOCKKEEPER_ADVISORIES ?? ''))
    throw badSetting(
      'LOCKKEEPER_ADVISORIES as a folder or an address',
      quote(env.LOCKKEEPER_ADVISORIES ?? ''),
    );
  const dataDir = env.LOCKKEEPER_DATA ?? defaultData(env);
  return {
    dataDir,
    blobs: blobsOf(env),
    host: env.LOCKKEEPER_HOST ?? '127.0.0.1',
    port: Number(env.LOCKKEEPER_PORT ?? 7411),
    publicUrl: env.LOCKKEEPER_PUBLIC_URL ?? null,
    databaseUrl: env.DATABASE_URL ?? null,
    trial: env.LOCKKEEPER_TRIAL === 'true',
    oidc: env.LOCKKEEPER_OIDC ?? null,
    trustRoots: env.LOCKKEEPER_TRUST_ROOTS ?? join(dataDir, 'trust-roots'),
    tuf: tufOf(env),
    tufCron: env.LOCKKEEPER_TUF_CRON ?? '43 */6 * * *',
    ...githubOf(env),
    upstreamCron: env.LOCKKEEPER_UPSTREAM_CRON ?? '7 * * * *',
    advisories: env.LOCKKEEPER_ADVISORIES ?? null,
    advisoriesCron: env.LOCKKEEPER_ADVISORIES_CRON ?? '19 * * * *',
    maxRevocations: Number(env.LOCKKEEPER_MAX_REVOCATIONS ?? DEFAULT_POLICY.advisories.maxRevocations),
    failOn: (env.LOCKKEEPER_FAIL_ON ?? null) as RegistryConfig['failOn'],
    licences: licencesOf(env),
    scanCredentials: env.LOCKKEEPER_SCAN_CREDENTIALS ?? null,
    workers: Number(env.LOCKKEEPER_WORKERS ?? 2),
    role: (env.LOCKKEEPER_ROLE ?? 'all') as RegistryConfig['role'],
    logLevel: (env.LOCKKEEPER_LOG_LEVEL ?? 'warn') as RegistryConfig['logLevel'],
    witnesses: witnessesOf(env),
    lockSigner: env.LOCKKEEPER_LOCK_SIGNER ?? null,
    publish: publishOf(env),
    npm: null,
    environment: env,
  };
}

function githubOf(
  env: Readonly<Record<string, string | undefined>>,
): Pick<RegistryConfig, 'github' | 'githubToken'> {
  const { LOCKKEEPER_GITHUB: api = 'https://api.github.com', LOCKKEEPER_GITHUB_TOKEN: token } = env;
  return { github: api === 'none' ? null : api, githubToken: token ?? null };
}

/** Root's own folder is closed to the user that PostgreSQL and the sandboxes run as. */
function defaultData(env: Readonly<Record<string, string | undefined>>): string {
  if (process.getuid?.() === 0) return '/var/lib/lockkeeper';
  return join(env.XDG_DATA_HOME ?? join(homedir(), '.local/share'), 'lockkeeper');
}
