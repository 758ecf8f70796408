/** Locks as `lk discover` and `lk adopt` need them: verified, or none. */
import { join } from 'node:path';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Context } from '../command.ts';
import { readGatewayConfig } from '../gateway/config.ts';
import { INTENT_FILE, openProject } from '../project.ts';
import type { LockHere } from './standing.ts';

/** Never rejects: a lock that does not verify holds no server, and says why. */
export async function lockIn(context: Context, dir: string): Promise<LockHere> {
  const project = { dir, intentPath: join(dir, INTENT_FILE), lockPath: join(dir, 'mcp.lock') };
  try {
    const { verified } = await openProject(context, project, { ask: false, apart: true });
    const servers = new Map([...verified.entries].map(([alias, { entry }]) => [alias, entry]));
    return { dir, servers, gateway: await gatewayOf(dir), error: null };
  } catch (thrown) {
    const { code, message } = asLockkeeperError(thrown);
    return { dir, servers: new Map(), gateway: [], error: { code, message } };
  }
}

/** Each folder's lock is verified once. */
export function locksFor(context: Context): (dir: string) => Promise<LockHere> {
  const known = new Map<string, Promise<LockHere>>();
  return (dir) => {
    const found = known.get(dir) ?? lockIn(context, dir);
    known.set(dir, found);
    return found;
  };
}

/** None where its configuration does not hold: such a gateway does not start. */
async function gatewayOf(dir: string): Promise<string[]> {
  const opened = await readGatewayConfig(dir, undefined, null).catch(() => null);
  if (opened === null) return [];
  const { config, listen } = opened;
  const scheme = config.tls ? 'https' : 'http';
  const names = [listen.host, ...(config.hosts ?? []), ...(listen.host === '127.0.0.1' ? ['localhost'] : [])];
  return names.flatMap((name) => {
    const address = `${scheme}://${name.includes(':') ? `[${name}]` : name}`;
    return [`${address}:${listen.port}`, address].map((one) => new URL(one).origin);
  });
}
