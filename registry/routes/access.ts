/** Tokens, keys, trust, policy, health; signing in is in `sign-in.ts`. */

import { short, type TrustedRoot } from '../../runtime/trust/root.ts';
import { TokenBody } from '../../schemas/api.ts';
import { readPublicKey, verifiedKeys } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { KEY_PROOF_TYPE, KeyBody, KeyProof, RootBody, RotateBody, TrustQuery } from '../../schemas/keys.ts';
import { assertValid } from '../../schemas/validate.ts';
import { VERSION } from '../../schemas/version.ts';
import type { Call, Handlers } from '../app.ts';
import { isLinked } from '../db/identities.ts';
import { type Actor, newToken, restingOn } from '../db/people.ts';
import type { Deps } from '../deps.ts';
import { recordEvent } from '../log.ts';
import { queueRejudgements } from '../rejudge.ts';
import { signInRoutes } from './sign-in.ts';

const PROOF_MS = 10 * 60_000;

export function accessRoutes(deps: Deps): Handlers {
  return {
    ...signInRoutes(deps),
    health: () => health(deps),
    trust: async (call) => {
      const { pin } = call.query(TrustQuery);
      const { trusted, ...evidence } = await deps.trust.evidence(pin?.split(','));
      const { keyids, threshold } = trusted.root.roles.root;
      return {
        rootKeys: keyids,
        threshold,
        trial: trusted.root.trial,
        ...evidence,
        standby: deps.trust.standby(),
      };
    },
    rootAccept: async (call) => {
      const { envelope } = call.body(RootBody);
      const { version } = await deps.trust.accept(envelope, call.actor.person);
      // Signatures are held to the pins of this root at once; the schedule would do it in the night.
      const failed = (error: unknown) => deps.log.error({ err: error }, 'releases not judged again');
      await queueRejudgements(deps).catch(failed);
      return { version };
    },
    keyRotate: async (call) => {
      const { role } = call.body(RotateBody);
      return { version: await deps.trust.renew({ rotate: role, person: call.actor.person }) };
    },
    me: async ({ actor }) => ({ person: actor.person, roles: actor.roles, expires: actor.expires }),
    tokens: async (call) => {
      const { roles, hours } = call.body(TokenBody);
      const beyond = roles.filter((role) => !call.actor.roles.includes(role));
      if (beyond.length > 0)
        throw new LockkeeperError('FORBIDDEN', {
          expected: `roles that ${call.actor.person} has`,
          found: beyond.join(', '),
          next: 'Ask for fewer, or make it as somebody who has them: lk people add NAME --roles ROLES',
        });
      if (await isLinked(deps.pool, call.actor.person)) assertEndsWith(call.actor, hours);
      const grant = await newToken(deps.pool, call.actor.person, { roles, hours });
      await recordEvent(deps.pool, {
        person: call.actor.person,
        action: 'token.made',
        subject: roles.join(','),
        detail: { hours },
      });
      return { ...grant, person: call.actor.person, roles };
    },
    keys: (call) => enrol(call, deps),
    policy: async () => deps.policy,
  };
}

/** Whom a provider vouches for goes when it says so: nothing that they make outlives the sign-in it was made with. */
function assertEndsWith({ person, expires }: Actor, hours: number): void {
  if (Date.now() + hours * 3_600_000 <= Date.parse(expires)) return;
  throw new LockkeeperError('FORBIDDEN', {
    expected: `a token that ends with the sign-in of ${person}, at ${expires}`,
    found: `one of ${hours} hours`,
    next: 'Ask an administrator for an account of the machine’s own: lk people add NAME --roles ROLES',
  });
}

async function health({ pool, trust }: Deps): Promise<unknown> {
  const { rows } = await pool.query<{ version: string; waiting: string; failed: string }>(
    `select current_setting('server_version') as version,
       (select count(*) from releases where state in ('submitted', 'scanning')) as waiting,
       (select count(*) from releases where state = 'rejected' and report_digest is null) as failed`,
  );
  const [row] = rows;
  return {
    ok: true,
    version: VERSION,
    database: `PostgreSQL ${row?.version ?? ''}`,
    trial: trust.trial,
    jobs: { waiting: Number(row?.waiting ?? 0), failed: Number(row?.failed ?? 0) },
  };
}

/** The proof is signed by the key it enrols, in the name of the caller, and fresh. */
async function enrol(call: Call, deps: Deps): Promise<unknown> {
  const { proof, replace } = call.body(KeyBody);
  const claim = assertValid(
    KeyProof,
    parseStrict(Buffer.from(proof.payload, 'base64')),
    'the key proof',
    'REQUEST_INVALID',
  );
  const { key, keyid } = readPublicKey(claim.publicKey);
  const signed =
    proof.payloadType === KEY_PROOF_TYPE && verifiedKeys(proof, new Map([[keyid, key]])).has(keyid);
  const fresh = Math.abs(Date.now() - Date.parse(claim.at)) < PROOF_MS;
  if (!signed || !fresh || claim.person !== call.actor.person) {
    throw new LockkeeperError('SIGNATURE_INVALID', {
      expected: `a proof of the last ten minutes by ${call.actor.person}, signed with the key itself`,
      found: !signed
        ? 'a signature that does not verify'
        : !fresh
          ? `a proof of ${claim.at}`
          : `one of ${claim.person}`,
      next: 'Run: lk keys enrol',
    });
  }
  const { trusted } = await deps.trust.current();
  const owner = trusted.personOf(keyid);
  if (owner === call.actor.person) return { keyid, person: owner, rootVersion: trusted.root.version };
  if (owner !== undefined)
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: 'a key of your own',
      found: `one that is enrolled for ${owner}`,
      next: 'Make your own with: lk keys new',
    });
  if (!replace) await assertFirstKey(call.actor.person, trusted, deps);
  return {
    keyid,
    person: call.actor.person,
    rootVersion: await deps.trust.enrol({ keyid, person: call.actor.person, publicKey: claim.publicKey }),
  };
}

/** A second key retires the first, and with it what it signed: that is asked for by name. */
async function assertFirstKey(person: string, trusted: TrustedRoot, { pool }: Deps): Promise<void> {
  const mine = trusted.root.roles.approver.keyids.find((keyid) => trusted.personOf(keyid) === person);
  if (mine === undefined) return;
  const resting = await restingOn(pool, person);
  throw new LockkeeperError('STATE_CONFLICT', {
    expected: `no other key of ${person}, or the word that it is to be replaced`,
    found: `key ${short(mine)}, whose approvals of ${resting} approved ${resting === 1 ? 'release' : 'releases'} would no longer count`,
    next: 'Use the key you have, or run: lk keys enrol --replace, and approve those again',
  });
}
