/** The gateway's own tokens: a file of what they hash to, 0600, written by `lk gateway token`, read while it changes. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type GatewayToken, GatewayTokens } from '../../schemas/identity.ts';
import { parseStrict } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';
import { alone } from '../store/alone.ts';
import { writeAtomic } from '../store/atomic.ts';
import type { Identified } from './identified.ts';
import { type Looked, watched } from './watched.ts';

const FORM = /^lkg_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;
const MAX_FILE = 16 * 1024 * 1024;

export interface TokenWay {
  identify(token: string, path: string): Promise<Identified>;
}

/** Whether a bearer token says that it is one of the gateway's own. */
export function isGatewayToken(token: string): boolean {
  return token.startsWith('lkg_');
}

/** Throws SECRET_MISSING or SECRET_UNUSABLE for a file that is not there or that others may read; so does each use. */
export async function openTokens(file: string, now: () => number): Promise<TokenWay> {
  const current = watched(
    (before: Looked<ReadonlyMap<string, GatewayToken>> | null) => look(file, before),
    now,
  );
  await current();
  return {
    identify: async (token) => {
      const [, id = '', secret = ''] = FORM.exec(token) ?? [];
      const entry = (await current()).get(id);
      // Compared whether or not there is such an id, so that both take the same time.
      const same = timingSafeEqual(hashOf(secret), Buffer.from(entry?.sha256 ?? '0'.repeat(64), 'hex'));
      if (!entry || !same) throw refused('TOKEN_INVALID', 'one that this gateway does not know');
      const expires = Date.parse(entry.expires);
      if (expires <= now()) throw refused('TOKEN_EXPIRED', `one that ended at ${entry.expires}`);
      const { user, teams, servers } = entry;
      const caller = { user, teams, via: 'token', actors: [] } as const;
      const assertStands = async (): Promise<void> => {
        const { sha256, expires: end } = (await current()).get(id) ?? {};
        if (sha256 !== entry.sha256) throw refused('TOKEN_INVALID', 'one that was removed');
        if (Date.parse(end ?? '') <= now()) throw refused('TOKEN_EXPIRED', `one that ended at ${end}`);
      };
      return { caller, servers, principal: JSON.stringify(['token', id, user]), expires, assertStands };
    },
  };
}

function refused(code: 'TOKEN_INVALID' | 'TOKEN_EXPIRED', found: string): LockkeeperError {
  return new LockkeeperError(code, {
    expected: 'a token that lk gateway token add made for this gateway',
    found,
    next: 'Ask whoever keeps the gateway for a new one',
  });
}

async function look(
  file: string,
  before: Looked<ReadonlyMap<string, GatewayToken>> | null,
): Promise<Looked<ReadonlyMap<string, GatewayToken>>> {
  const handle = await openSecret(file);
  try {
    const { ino, size, mtimeNs } = await handle.stat({ bigint: true });
    const version = `${ino} ${size} ${mtimeNs}`;
    if (before?.version === version) return before;
    const { tokens } = await read(handle, file);
    return { version, value: new Map(tokens.map((token) => [token.id, token])) };
  } finally {
    await handle.close();
  }
}

async function openSecret(file: string): Promise<FileHandle> {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new LockkeeperError('SECRET_MISSING', {
      expected: `the tokens of the gateway in ${file}`,
      found: 'no such file',
      next: 'Make a token with: lk gateway token add',
      cause,
    });
  });
  const info = await handle.stat();
  if (info.isFile() && (info.mode & 0o077) === 0 && info.size <= MAX_FILE) return handle;
  await handle.close();
  throw new LockkeeperError('SECRET_UNUSABLE', {
    expected: `${file} as a file of at most ${MAX_FILE} bytes that its owner alone may read and write (0600)`,
    found: `mode 0${(info.mode & 0o777).toString(8)}, ${info.size} bytes`,
    next: `Run: chmod 600 ${file}`,
  });
}

async function read(handle: FileHandle, file: string): Promise<GatewayTokens> {
  return assertValid(GatewayTokens, parseStrict(await handle.readFile()), quote(file), 'SECRET_UNUSABLE');
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export type NewToken = Pick<GatewayToken, 'user' | 'teams' | 'servers' | 'expires'>;

/** What the file holds; empty where there is none. */
export async function listTokens(file: string): Promise<GatewayToken[]> {
  const handle = await openSecret(file).catch((error: unknown) => {
    if (error instanceof LockkeeperError && error.code === 'SECRET_MISSING') return null;
    throw error;
  });
  if (handle === null) return [];
  try {
    return (await read(handle, file)).tokens;
  } finally {
    await handle.close();
  }
}

/** Makes one and writes what it hashes to. The token itself is in the answer, and nowhere else. */
export function addToken(
  file: string,
  wanted: NewToken,
  now: Date,
): Promise<{ token: string; entry: GatewayToken }> {
  return alone(file, async () => {
    const id = randomBytes(8).toString('hex');
    const secret = randomBytes(32).toString('base64url');
    const entry = { id, sha256: hashOf(secret).toString('hex'), ...wanted, created: now.toISOString() };
    await write(file, [...(await listTokens(file)), entry]);
    return { token: `lkg_${id}_${secret}`, entry };
  });
}

/** Throws NOT_FOUND for an id that the file does not hold. */
export function removeToken(file: string, id: string): Promise<GatewayToken> {
  return alone(file, async () => {
    const tokens = await listTokens(file);
    const removed = tokens.find((token) => token.id === id);
    if (!removed)
      throw new LockkeeperError('NOT_FOUND', {
        expected: `the id of a token in ${file}`,
        found: quote(id, 60),
        next: 'See: lk gateway token list',
      });
    await write(
      file,
      tokens.filter((token) => token !== removed),
    );
    return removed;
  });
}

async function write(file: string, tokens: readonly GatewayToken[]): Promise<void> {
  const value = assertValid(
    GatewayTokens,
    { lockkeeper: 'gateway-tokens/v1', tokens },
    'the tokens',
    'USAGE',
  );
  await writeAtomic(file, `${JSON.stringify(value, null, 2)}\n`, 0o600);
}
