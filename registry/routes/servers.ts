/** Server names: who owns them, handing one over, and what somebody has to look after. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { OwnerBody, ServerQuery } from '../../schemas/server.ts';
import type { Call, Handlers } from '../app.ts';
import { attention } from '../attention.ts';
import { withTransaction } from '../db/pool.ts';
import { listServers, lockServer, updateServer } from '../db/servers.ts';
import type { Deps } from '../deps.ts';
import { recordEvent } from '../log.ts';
import { assertHere } from '../owners.ts';
import { SELF } from '../root.ts';

export function serverRoutes(deps: Deps): Handlers {
  return {
    servers: async (call) => ({ servers: await listServers(deps.pool, call.query(ServerQuery)) }),
    serverOwner: (call) => handOver(call, deps),
    attention: () => attention(deps),
  };
}

/** By the owner or an administrator, to somebody who is here. */
async function handOver(call: Call, deps: Deps): Promise<unknown> {
  const { name, owner, team } = call.body(OwnerBody);
  const { person, roles } = call.actor;
  return withTransaction(deps.pool, async (client) => {
    const server = await lockServer(client, name);
    if (!server) {
      throw new LockkeeperError('NOT_FOUND', {
        expected: 'a server that was published here',
        found: quote(name, 200),
        next: 'List them with: lk owner',
      });
    }
    if (person !== server.owner && !roles.includes('admin')) {
      throw new LockkeeperError('SERVER_OWNED', {
        expected: `${server.owner}, who owns ${name}, or an administrator`,
        found: person,
        next: `Ask ${server.orphaned ? 'an administrator' : server.owner} to hand it over`,
      });
    }
    if (owner === SELF) {
      throw new LockkeeperError('REQUEST_INVALID', {
        expected: 'a person as owner',
        found: `${SELF}, which is the registry itself`,
        next: 'Name somebody who answers for the server',
      });
    }
    await assertHere(client, owner);
    await updateServer(client, name, { owner, team });
    const detail = { before: server.owner, owner, team: team ?? server.team };
    await recordEvent(client, { person, action: 'server.owner', subject: name, detail });
    return { ...server, owner, team: team ?? server.team, orphaned: false };
  });
}
