/** Who may publish under a name, and from which package. */
import { LockkeeperError } from '../schemas/errors.ts';
import { isGitSource } from '../schemas/git.ts';
import { isMcpbSource, mcpbKey } from '../schemas/mcpb.ts';
import type { Submission } from '../schemas/release.ts';
import { isRemoteSource } from '../schemas/remote.ts';
import type { Server } from '../schemas/server.ts';
import { holdPerson } from './db/people.ts';
import type { Client } from './db/pool.ts';
import { insertServer, lockServer, updateServer } from './db/servers.ts';
import { recordEvent } from './log.ts';
import { SELF } from './root.ts';

/** Who asks, and what they say about the name besides the submission. */
export interface Publisher {
  readonly person: string;
  readonly admin: boolean;
  readonly owner?: string | undefined;
  readonly team?: string | undefined;
  readonly newSource?: boolean | undefined;
}

/** The schedule's own hand: it follows the package of a server that has an owner. */
export const SCHEDULE: Publisher = { person: SELF, admin: false };

/** Kind and name of what a source names, without its version. */
export function packageKey(source: string): string {
  if (isRemoteSource(source)) return source;
  if (isMcpbSource(source)) return mcpbKey(source);
  if (isGitSource(source)) return source.slice(0, source.indexOf('#'));
  return source.slice(0, source.lastIndexOf('@'));
}

/**
 * Claims the name at its first release; later checks that this person may publish under it, from this package.
 * Returns the package that the name stood for. Throws SERVER_OWNED, SERVER_ORPHANED, SOURCE_CHANGED, and NOT_FOUND for an owner who is not here.
 */
export async function claimName(client: Client, submission: Submission, by: Publisher): Promise<string> {
  const { name, source } = submission;
  const from = packageKey(source);
  const owner = by.owner ?? by.person;
  await assertHere(client, owner);
  if (await insertServer(client, { name, owner, team: by.team ?? null, package: from })) {
    const detail = { owner, team: by.team ?? null, package: from };
    await recordEvent(client, { person: by.person, action: 'server.owner', subject: name, detail });
    return from;
  }
  const server = await lockServer(client, name);
  if (server) await assertMayPublish(client, server, { by, from });
  return server?.package ?? from;
}

async function assertMayPublish(
  client: Client,
  server: Server,
  { by, from }: { by: Publisher; from: string },
): Promise<void> {
  const { name, owner, package: bound } = server;
  if (server.orphaned) throw orphaned(server);
  if (by.person !== owner && !by.admin && by.person !== SELF) {
    throw new LockkeeperError('SERVER_OWNED', {
      expected: `${owner}, who owns ${name}, or an administrator`,
      found: by.person,
      next: `Ask ${owner} to publish it, or to hand it over: lk owner ${name} ${by.person}`,
    });
  }
  if ((by.owner ?? owner) !== owner || (by.team ?? server.team) !== server.team) {
    throw new LockkeeperError('STATE_CONFLICT', {
      expected: `no owner and team, because ${name} has them: ${owner}${server.team ? `, ${server.team}` : ''}`,
      found: [by.owner, by.team].filter(Boolean).join(', '),
      next: `Publish it without them; hand it over with: lk owner ${name} PERSON`,
    });
  }
  if (from === bound) return;
  if (by.newSource !== true) {
    throw new LockkeeperError('SOURCE_CHANGED', {
      expected: `a release of ${bound}, which ${name} comes from`,
      found: from,
      next: 'Choose another name with --name; or, if the server really moved, say so with --new-source',
    });
  }
  await updateServer(client, name, { package: from });
  await recordEvent(client, {
    person: by.person,
    action: 'server.new-source',
    subject: name,
    detail: { before: bound, after: from },
  });
}

function orphaned({ name, owner }: Server): LockkeeperError {
  return new LockkeeperError('SERVER_ORPHANED', {
    expected: `an owner who answers for ${name}`,
    found: `${owner}, who left`,
    next: `Have an administrator name another one: lk owner ${name} PERSON`,
  });
}

/** Who owns a server has to be somebody that can be asked, and stays until the transaction ends. Throws NOT_FOUND. */
export async function assertHere(client: Client, person: string): Promise<void> {
  if (person === SELF) return;
  if (await holdPerson(client, person)) return;
  throw new LockkeeperError('NOT_FOUND', {
    expected: 'a person of this registry as owner',
    found: person,
    next: 'Add them first: lk people add PERSON --roles publisher',
  });
}
