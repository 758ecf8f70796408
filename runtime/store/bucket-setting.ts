/** Which bucket a place like s3://bucket/prefix is, and whose it is read as: from the variables that AWS's own tools read. */
import { readFile } from 'node:fs/promises';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

export interface BucketSetting {
  /** As people name it: s3://bucket/prefix. */
  readonly place: string;
  /** Address of the bucket in path style, without a slash at its end. */
  readonly address: string;
  /** What keys begin with: empty, or with a slash at its end. */
  readonly prefix: string;
  readonly region: string;
  /** Null asks as nobody. A function, so that renewed ones reach a process that runs. */
  readonly credentials: (() => Promise<Credentials>) | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Segments of dots alone would be taken for steps in an address. */
const PLACE =
  /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/(?!\.+(?:\/|$))[A-Za-z0-9._-]{1,100}){0,16})\/?$/;
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads AWS_REGION (or AWS_DEFAULT_REGION), AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL), and AWS_ACCESS_KEY_ID with
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_SHARED_CREDENTIALS_FILE with AWS_PROFILE. Throws CONFIG_INVALID.
 */
export function bucketAt(place: string, environment: Environment): BucketSetting {
  const [, bucket = '', path = ''] = PLACE.exec(place) ?? [];
  if (bucket === '') throw invalid('a bucket as s3://BUCKET or s3://BUCKET/PREFIX', quote(place, 200));
  const endpoint = environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL;
  const named = environment.AWS_REGION || environment.AWS_DEFAULT_REGION;
  const region = named || (endpoint ? 'us-east-1' : '');
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(region))
    throw invalid(`AWS_REGION, where ${bucket} is, such as eu-central-1`, region ? quote(region) : 'none');
  const host = endpoint ? endpointOf(endpoint) : `https://s3.${region}.amazonaws.com`;
  const prefix = path === '' ? '' : `${path.slice(1)}/`;
  return {
    place,
    address: `${host}/${bucket}`,
    prefix,
    region,
    credentials: credentialsOf(environment),
  };
}

/** An address without a secret in it: over TLS, but for one on this machine. Throws CONFIG_INVALID. */
export function assertAddress(given: string, what: string): URL {
  const url = URL.canParse(given) ? new URL(given) : null;
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
  if (url && safe && !url.username && !url.password && !url.search && !url.hash) return url;
  throw invalid(
    `${what} as an https address without a user or a question, or http on this machine`,
    url ? quote(`${url.protocol}//${url.host}${url.pathname}`, 200) : 'text that is no address',
  );
}

function endpointOf(given: string): string {
  return assertAddress(given, 'AWS_ENDPOINT_URL').href.replace(/\/+$/, '');
}

function credentialsOf(environment: Environment): BucketSetting['credentials'] {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = environment;
  if (id && secret) {
    const given = { accessKeyId: id, secretAccessKey: secret, sessionToken: token || null };
    return async () => given;
  }
  if (id || secret)
    throw invalid(
      'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY together',
      `only ${id ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY'}`,
    );
  const { AWS_SHARED_CREDENTIALS_FILE: path, AWS_PROFILE: profile = 'default' } = environment;
  return path ? () => readCredentials(path, profile) : null;
}

/** One profile of a credentials file. Throws CONFIG_INVALID; no value of the file is ever in the sentence. */
async function readCredentials(path: string, profile: string): Promise<Credentials> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const values = new Map<string, string>();
  let section = '';
  for (const line of text.slice(0, MAX_FILE_BYTES).split('\n')) {
    section = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1]?.trim() ?? section;
    const [, name, value] = /^\s*(aws_[a-z_]+)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
    if (section === profile && name !== undefined && value !== undefined) values.set(name, value);
  }
  const [id, secret] = ['aws_access_key_id', 'aws_secret_access_key'].map((name) => values.get(name));
  if (id && secret) {
    const sessionToken = values.get('aws_session_token') ?? null;
    return { accessKeyId: id, secretAccessKey: secret, sessionToken };
  }
  throw invalid(
    `aws_access_key_id and aws_secret_access_key of the profile ${quote(profile)} in ${quote(path, 200)}`,
    text === '' ? 'no file that can be read' : 'a file without both',
  );
}

function invalid(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', { expected, found, next: 'Correct the variable' });
}
