/** The registry's database as victim: a superuser with no trigger in the way edits what approvals rest on. */
import { readdirSync, writeFileSync } from 'node:fs';
import type { Client } from '../../registry/db/pool.ts';
import type { Code } from '../../schemas/errors.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { asSuperuser, type Company, carelessLock, makeCompany, stored } from './company.ts';
import {
  invent,
  replaceRoot,
  restart,
  set,
  swapArtifact,
  swapSurface,
  widenApproval,
  widenRelease,
} from './edits.ts';
import { assertProof } from './machine.ts';
import { must, type Row, type Scenario } from './row.ts';
import type { World } from './world.ts';

const WORDS = 'a superuser of the database';

interface Edit {
  readonly id: string;
  readonly attack: string;
  readonly code: Code;
  readonly approvers?: 1 | 2;
  edit(client: Client, company: Company): Promise<unknown>;
  /** What the registry's own code says to a restart or a request for a lock. */
  readonly registry?: (company: Company) => Promise<unknown>;
}

/**
 * Before the edit a lock goes through, verified and asked about over HTTP. After it the registry's own code refuses, and
 * the lock that it would make without its checks is refused by the client.
 */
async function edited(world: World, { edit, code, approvers = 2, registry }: Edit): Promise<Scenario> {
  const company = await makeCompany(world, { approvers });
  const machine = await company.machine();
  const honest = approvers === 2 ? company : await makeCompany(world);
  const twin = await honest.machine();
  const asks = registry ?? (() => company.lock(machine));
  return {
    control: async () => twin.start(await honest.lock(twin)),
    attack: async () => {
      await asSuperuser(company, (client) => edit(client, company));
      await machine.start(await carelessLock(company, machine));
    },
    state: () => machine.state(),
    after: async () => {
      assertProof(machine, code);
      const refusal = await asks(company).then(
        () => null,
        (error: unknown) => error,
      );
      must(refusal instanceof LockkeeperError, `the registry’s own code did not refuse: ${refusal}`);
      return `the registry itself: ${(refusal as LockkeeperError).code}`;
    },
  };
}

const edits: Edit[] = [
  {
    id: 'db-approval',
    attack: 'widens what an approval covers',
    code: 'SIGNATURE_INVALID',
    edit: widenApproval,
  },
  {
    id: 'db-approval-claimed',
    attack: 'adds the approval of one who never signed, under his key id',
    code: 'SIGNATURE_INVALID',
    approvers: 1,
    edit: invent(true),
  },
  {
    id: 'db-approval-own-key',
    attack: 'adds it under a key of their own',
    code: 'KEY_UNKNOWN',
    approvers: 1,
    edit: invent(false),
  },
  {
    id: 'db-surface',
    attack: 'puts another tool text under the approvals',
    code: 'APPROVAL_SUBJECT',
    edit: swapSurface,
  },
  {
    id: 'db-permissions',
    attack: 'widens the permissions of an approved release',
    code: 'APPROVAL_SUBJECT',
    edit: widenRelease,
  },
  {
    id: 'db-launch',
    attack: 'changes the command line of an approved release',
    code: 'APPROVAL_SUBJECT',
    edit: (client) =>
      client.query(`update releases set launch = jsonb_set(launch, '{command,1}', '"/data/evil.js"')`),
  },
  {
    id: 'db-artifact',
    attack: 'changes the digest of a package',
    code: 'APPROVAL_SUBJECT',
    edit: swapArtifact,
  },
  {
    id: 'db-report',
    attack: 'puts another scan report under the approvals',
    code: 'APPROVAL_SUBJECT',
    edit: async (client, company) => set(client, 'report_digest', await stored(company, { clean: true })),
  },
  {
    id: 'db-requester',
    attack: 'changes who asked for a release',
    code: 'APPROVAL_SUBJECT',
    edit: (client) => set(client, 'requested_by', 'carol'),
  },
  {
    id: 'db-state',
    attack: 'flips a release that one person approved to approved',
    code: 'APPROVAL_THRESHOLD',
    approvers: 1,
    edit: (client) => set(client, 'state', 'approved'),
  },
  {
    id: 'db-root',
    attack: 'replaces the newest root by one that names their key',
    code: 'ROOT_UNTRUSTED',
    edit: replaceRoot,
    registry: restart,
  },
];

/** A release that nobody approved: there is nothing to put in a lock, so that the registry's own word is what counts. */
async function flipped(world: World): Promise<Scenario> {
  const [honest, company] = [await makeCompany(world), await makeCompany(world)];
  const [twin, machine] = [await honest.machine(), await company.machine()];
  return {
    control: async () => twin.start(await honest.lock(twin)),
    attack: async () => {
      await asSuperuser(company, (client) => client.query('delete from approvals'));
      await machine.start(await company.lock(machine));
    },
    state: () => machine.state(),
    after: async () => {
      const refusal = await machine
        .start(await carelessLock(company, machine))
        .catch((error: unknown) => error);
      must(
        refusal instanceof LockkeeperError && refusal.code === 'DOCUMENT_INVALID',
        `the client: ${refusal}`,
      );
      return 'the client: DOCUMENT_INVALID';
    },
  };
}

/** One byte of the stored tool text, on the registry's disk. */
async function blobFlipped(world: World): Promise<Scenario> {
  const company = await makeCompany(world);
  const [twin, machine] = [await company.machine(), await company.machine()];
  return {
    control: async () => twin.start(await company.lock(twin)),
    attack: async () => {
      const { pool, deps, folder } = company.registry;
      const { rows } = await pool.query<{ surface_text: string }>('select surface_text from releases');
      const path = folder.path(rows[0]?.surface_text ?? '');
      const bytes = await deps.blobs.get(rows[0]?.surface_text ?? '');
      bytes[40] = (bytes[40] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      await machine.start(await company.lock(machine));
    },
    state: () => JSON.stringify([machine.state(), readdirSync(company.registry.folder.dir).length]),
  };
}

export const databaseRows: readonly Row[] = [
  ...edits.map(
    (edit): Row => ({
      id: edit.id,
      attacker: WORDS,
      attack: edit.attack,
      refusedBy: 'runtime and gate',
      code: edit.code,
      run: (world) => edited(world, edit),
    }),
  ),
  {
    id: 'db-no-approval',
    attacker: WORDS,
    attack: 'leaves a release approved whose approvals are gone',
    refusedBy: 'registry',
    code: 'APPROVAL_THRESHOLD',
    run: flipped,
  },
  {
    id: 'db-blob',
    attacker: 'the registry’s disk',
    attack: 'flips one bit of a stored tool text',
    refusedBy: 'registry',
    code: 'ARTIFACT_MISMATCH',
    run: blobFlipped,
  },
];
