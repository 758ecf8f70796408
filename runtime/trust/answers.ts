/** Does a lock answer what was asked: each entry its own request, all of them lockkeeper.json. */
import { isDeepStrictEqual } from 'node:util';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Intent } from '../../schemas/intent.ts';
import type { Lock, LockEntry } from '../../schemas/lock.ts';
import { inRange } from '../../schemas/request.ts';

/** An entry answers the request that stands in it: the same server, a version in the range. */
export function assertRequest({ server, version, request }: LockEntry): void {
  if (server === request.server && inRange(version, request.range)) return;
  throw new LockkeeperError('LOCK_INTENT', {
    expected: `${request.server} in ${request.range}`,
    found: `${server} ${version}`,
    next: 'Run: lk lock',
  });
}

/** Does the lock answer exactly what lockkeeper.json asks? Throws LOCK_INTENT naming the first difference. */
export function assertAnswers(lock: Lock, intent: Intent): void {
  const difference = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('LOCK_INTENT', { expected, found, next: 'Run: lk lock' });
  if (lock.registry !== intent.registry)
    throw difference(`a lock from ${intent.registry}`, `one from ${lock.registry}`);
  for (const alias of Object.keys(intent.servers)) {
    const entry = Object.hasOwn(lock.servers, alias) ? lock.servers[alias] : undefined;
    if (!entry) throw difference(`an entry for ${alias}`, 'none');
    if (
      !isDeepStrictEqual(
        JSON.parse(JSON.stringify(entry.request)),
        JSON.parse(JSON.stringify(intent.servers[alias])),
      )
    ) {
      throw difference(
        `${alias} as lockkeeper.json asks: ${JSON.stringify(intent.servers[alias])}`,
        JSON.stringify(entry.request),
      );
    }
  }
  for (const alias of Object.keys(lock.servers)) {
    if (!Object.hasOwn(intent.servers, alias))
      throw difference(`no entry for ${alias}, which lockkeeper.json does not ask for`, 'one');
  }
}
