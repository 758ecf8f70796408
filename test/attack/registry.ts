/** The registry's own door as victim: stolen sessions, keys of others, roots of nobody. */
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import { seal } from '../../schemas/dsse.ts';
import { canonical } from '../../schemas/json.ts';
import { KEY_PROOF_TYPE } from '../../schemas/keys.ts';
import { type Answer, submissionOf } from '../helpers/registry.ts';
import { type Key, makeKey } from '../helpers/trust.ts';
import { asSuperuser, type Company, makeCompany } from './company.ts';
import { type Act, HOLDERS, handover, holdersGoOn, postRoot, told } from './holders.ts';
import type { Row, Scenario } from './row.ts';
import type { World } from './world.ts';

const mallory = makeKey('mallory');
/** Everything that a request could have changed. */
async function rowsOf({ registry: { pool } }: Company): Promise<string> {
  const counts = ['approvals', 'roots', 'reviewer_keys', 'locks', 'log_entries'].map(
    (table) => `(select count(*) from ${table})`,
  );
  const { rows } = await pool.query(
    `select ${counts.join(', ')}, (select string_agg(state, ' ' order by id) from releases)`,
  );
  return JSON.stringify(rows);
}

/** The same company is asked honestly and then not. */
async function asked(world: World, acts: { prepare?: Act; control: Act; attack: Act }): Promise<Scenario> {
  const company = await makeCompany(world);
  await acts.prepare?.(company);
  return {
    control: () => acts.control(company),
    attack: () => acts.attack(company),
    state: () => rowsOf(company),
  };
}

interface Reviewed {
  /** Made before, and approved by Alice. */
  release: number;
}

/** A second release, approved honestly first by Alice; the attack is another approval of it. */
function approving(
  prepare: (company: Company) => Promise<number>,
  attack: (company: Company, release: number) => Promise<Answer>,
) {
  return async (world: World): Promise<Scenario> => {
    const at: Reviewed = { release: 0 };
    return asked(world, {
      prepare: async (company) => void (at.release = await prepare(company)),
      control: (company) => told(company.registry.approve(company.alice, at.release)),
      attack: (company) => told(attack(company, at.release)),
    });
  };
}

const byDave = ({ registry }: Company): Promise<number> => registry.scanned('dave', submissionOf('1.3.0'));

/** The server is Dave's: only an administrator asks for a version of it beside him. */
async function byBob({ registry }: Company): Promise<number> {
  await registry.person('bob', 'admin', 'publisher', 'reviewer', 'developer');
  return registry.scanned('bob', submissionOf('1.3.0'));
}

/** A statement as Alice gets it, for somebody to sign, sent by Bob. */
const sent =
  (by: (company: Company) => Key) =>
  async (company: Company, release: number): Promise<Answer> => {
    const { registry } = company;
    const signer = by(company);
    const approval = await registry.statement('alice', release);
    approval.predicate.environments = ['development'];
    approval.predicate.approvedBy = signer.person;
    const envelope = seal(STATEMENT_TYPE, Buffer.from(canonical(approval)), [signer.key]);
    return registry.call('bob', 'POST', `/v1/releases/${release}/approvals`, { envelope });
  };

/** A key of the attacker's own, offered with proof of possession under a stolen session. */
const enrolAsBob: Act = ({ registry }) => {
  const claim = { person: 'bob', publicKey: mallory.pem, at: new Date().toISOString() };
  const proof = seal(KEY_PROOF_TYPE, Buffer.from(JSON.stringify(claim)), [mallory.key]);
  return told(registry.call('bob', 'POST', '/v1/keys', { proof, replace: true }));
};

/** The same written into the database, and the registry made to sign its next root. */
const enrolInDatabase: Act = async (company) => {
  await asSuperuser(company, (client) =>
    client.query(`update reviewer_keys set keyid = $1, public_key = $2 where person = 'bob'`, [
      mallory.keyid,
      mallory.pem,
    ]),
  );
  await company.registry.deps.trust.renew();
};

/** A lock that was good until the release in it was revoked. */
async function revoked(world: World): Promise<Scenario> {
  const company = await makeCompany(world);
  const [twin, machine] = [await company.machine(), await company.machine()];
  const lock = await company.lock(machine);
  return {
    control: () => twin.start(lock),
    attack: async () => {
      await told(
        company.registry.call('bob', 'POST', `/v1/releases/${company.release}/revoke`, { reason: 'malware' }),
      );
      await machine.start(lock);
    },
    state: () => machine.state(),
  };
}

const ADMIN = 'an administrator’s session, after root holders took over';

const row = (
  words: Omit<Row, 'refusedBy' | 'run'>,
  run: Row['run'],
  refusedBy: Row['refusedBy'] = 'registry',
): Row => ({ ...words, refusedBy, run });

export const registryRows: readonly Row[] = [
  row(
    {
      id: 'door-requester',
      attacker: 'the requester’s own reviewer key',
      attack: 'approves their own request',
      code: 'APPROVAL_REQUESTER',
    },
    approving(
      byBob,
      sent(({ bob }) => bob),
    ),
  ),
  row(
    {
      id: 'door-session',
      attacker: 'one reviewer’s session',
      attack: 'approves with a key that is not enrolled',
      code: 'KEY_UNKNOWN',
    },
    approving(byDave, ({ registry }, release) => registry.approve({ ...mallory, person: 'bob' }, release)),
  ),
  row(
    {
      id: 'door-sent-by-other',
      attacker: 'one reviewer’s session',
      attack: 'sends what another reviewer signed',
      code: 'FORBIDDEN',
    },
    approving(
      byDave,
      sent(({ alice }) => alice),
    ),
  ),
  row(
    {
      id: 'door-twice',
      attacker: 'one reviewer',
      attack: 'approves the same release twice',
      code: 'APPROVAL_GIVEN',
    },
    approving(byDave, ({ registry, alice }, release) => registry.approve(alice, release)),
  ),
  row(
    {
      id: 'door-other-facts',
      attacker: 'one reviewer',
      attack: 'approves more permissions than the release asks for',
      code: 'APPROVAL_SUBJECT',
    },
    approving(byDave, ({ registry, bob }, release) =>
      registry.approve(
        bob,
        release,
        ({ predicate }) => void predicate.permissions.egress.push('evil.example:443'),
      ),
    ),
  ),
  row(
    { id: 'door-root', attacker: ADMIN, attack: 'posts a root of their own', code: 'ROOT_UNTRUSTED' },
    (world) =>
      asked(world, {
        prepare: handover,
        control: holdersGoOn,
        attack: (company) => postRoot(company, [mallory], [mallory]),
      }),
  ),
  row(
    {
      id: 'door-root-one-holder',
      attacker: `${ADMIN}, and one of them`,
      attack: 'posts a root that one holder signed',
      code: 'ROOT_UNTRUSTED',
    },
    (world) =>
      asked(world, {
        prepare: handover,
        control: holdersGoOn,
        attack: (company) => postRoot(company, HOLDERS, HOLDERS.slice(2)),
      }),
  ),
  row(
    {
      id: 'door-enrol',
      attacker: 'one reviewer’s session, after root holders took over',
      attack: 'enrols a key of their own in that name',
      code: 'ROOT_OFFLINE',
    },
    (world) => asked(world, { prepare: handover, control: holdersGoOn, attack: enrolAsBob }),
  ),
  row(
    {
      id: 'db-reviewer-key',
      attacker: 'a superuser of the database, after root holders took over',
      attack: 'exchanges a reviewer’s key and has the next root signed',
      code: 'ROOT_OFFLINE',
    },
    (world) => asked(world, { prepare: handover, control: holdersGoOn, attack: enrolInDatabase }),
  ),
  row(
    {
      id: 'revoked-release',
      attacker: 'a lock from before a revocation',
      attack: 'uses it while it is not yet over',
      code: 'RELEASE_REVOKED',
    },
    revoked,
    'gate',
  ),
];
