/** Revoking, and telling of it: as a list for whoever asks, as a stream for whoever has a session running. */
import type { FastifyInstance } from 'fastify';
import { assertRevokes, openRevocation } from '../../runtime/trust/revocation.ts';
import { CLOCK_SKEW_MS } from '../../runtime/trust/root.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { RevocationQuery, RevokeBody } from '../../schemas/revocation.ts';
import type { Call, Handlers } from '../app.ts';
import { actorOf } from '../db/people.ts';
import { findRelease, type ReleaseRow } from '../db/releases.ts';
import { type NewRevocation, revocationsAfter } from '../db/revocations.ts';
import type { Deps } from '../deps.ts';
import { factsOf, unsigned, withdraw } from '../revocations.ts';
import { Streams } from '../streams.ts';
import { viewOf } from '../view.ts';
import { releaseOf } from './releases.ts';

const PAGE = 500;

export function revocationRoutes(app: FastifyInstance, deps: Deps): Handlers {
  const rolesOf = async (token: string) => (await actorOf(deps.pool, token))?.roles ?? null;
  const streams = new Streams({ pool: deps.pool, rolesOf, limits: deps.streams });
  app.addHook('preClose', async () => streams.close());
  return {
    revoke: (call) => revoke(call, deps),
    revocations: async (call) => {
      const { after = '0', server = null } = call.query(RevocationQuery);
      const revocations = await revocationsAfter(deps.pool, { after: Number(after), server, limit: PAGE });
      return { revocations, next: String(revocations.at(-1)?.id ?? after) };
    },
    revocationStream: (call) => stream(call, streams),
  };
}

/** Everything that can be refused is refused before the first byte of the stream. */
async function stream({ query, request, reply, actor }: Call, streams: Streams): Promise<undefined> {
  const { after = '0', server = null } = query(RevocationQuery);
  const last = request.headers['last-event-id'];
  if (last !== undefined && !/^[0-9]{1,15}$/.test(String(last))) {
    throw new LockkeeperError('REQUEST_INVALID', {
      expected: 'a Last-Event-ID that this registry gave',
      found: quote(String(last), 60),
      next: 'Leave it out to hear everything from the beginning',
    });
  }
  const token = (request.headers.authorization ?? '').slice('Bearer '.length);
  const { person } = actor;
  await streams.open({ token, person, server, after: Number(last ?? after) }, reply.raw);
  reply.hijack();
  return undefined;
}

async function revoke(call: Call, deps: Deps): Promise<unknown> {
  const { reason, envelope } = call.body(RevokeBody);
  const row = await releaseOf(call, deps.pool);
  const stated = envelope
    ? await signed(call, { envelope, row, reason }, deps)
    : unsigned(row, reason, call.actor.person);
  await withdraw(deps.pool, row, { reason, person: call.actor.person, stated });
  const after = await findRelease(deps.pool, row.id);
  return after ? viewOf(after, (await deps.trust.current()).trusted) : null;
}

/** Signed by the caller's own key, in the role of revoker, about this release, for this reason. */
async function signed(
  call: Call,
  { envelope, row, reason }: { envelope: Envelope; row: ReleaseRow; reason: string },
  deps: Deps,
): Promise<NewRevocation> {
  const { trusted } = await deps.trust.current();
  const { revocation, person, digest } = openRevocation(envelope, trusted);
  if (person !== call.actor.person) {
    throw new LockkeeperError('FORBIDDEN', {
      expected: `a revocation signed by ${call.actor.person}, who sends it`,
      found: `one of ${person}`,
      next: 'Sign with your own key: lk revoke',
    });
  }
  assertRevokes(revocation, factsOf(row));
  const { at } = revocation.predicate;
  if (revocation.predicate.reason !== reason || !(Date.parse(at) <= Date.now() + CLOCK_SKEW_MS)) {
    throw new LockkeeperError('REVOCATION_SUBJECT', {
      expected: 'a statement for the reason that comes with it, of a time that has come',
      found: `one of ${at} for ${quote(revocation.predicate.reason)}`,
      next: 'Set the clock of that machine right and sign again with: lk revoke',
    });
  }
  const bytes = Buffer.from(envelope.payload, 'base64');
  return { releaseId: row.id, digest, statement: revocation, bytes, envelope };
}
