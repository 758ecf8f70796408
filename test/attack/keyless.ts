/** Identities without a key as victim: a neighbour at the same issuer signs in the name of the one that the root names. */
import { keylessSigner } from '../../runtime/signers/keyless.ts';
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import { seal } from '../../schemas/dsse.ts';
import { canonical } from '../../schemas/json.ts';
import { identityKeyId, ROOT_TYPE, type Root } from '../../schemas/root.ts';
import { sealWith } from '../../schemas/signer.ts';
import { submissionOf } from '../helpers/registry.ts';
import { identityToken, type Sigstore, startSigstore } from '../helpers/sigstore.ts';
import { makeKey } from '../helpers/trust.ts';
import { type Company, makeCompany } from './company.ts';
import { told } from './holders.ts';
import type { Row, Scenario } from './row.ts';
import type { World } from './world.ts';

const ISSUER = 'https://ci.example.test';
const SAN = 'https://git.example.test/acme/weather/.ci/release.yml@refs/heads/main';
const KEYID = identityKeyId({ issuer: ISSUER, san: SAN });

/** The next root names the job's identity as an approver; the registry signs it as well. */
async function letIn({ registry }: Company, { trustedRoot }: Sigstore): Promise<void> {
  await registry.person('ci', 'reviewer');
  const root = structuredClone((await registry.deps.trust.current()).trusted.root) as Root;
  root.version++;
  root.issuedAt = new Date().toISOString();
  const dates = { notBefore: root.issuedAt, notAfter: root.expires };
  const identity = { keyid: KEYID, issuer: ISSUER, san: SAN, person: 'ci', ...dates };
  root.keyless = { trustedRoot: trustedRoot.toString('base64'), identities: [identity] };
  root.roles.approver.keyids.push(KEYID);
  const envelope = seal(ROOT_TYPE, Buffer.from(canonical(root)), [makeKey('nobody').key]);
  await told(registry.call('dave', 'POST', '/v1/roots', { envelope }));
}

interface Job {
  readonly issuer?: string;
  readonly san?: string;
  /** Writes into the log of an instance of its own. */
  readonly elsewhere?: boolean;
}

/** One trusted root of both: what the job of an attacker believes. */
function together(...roots: readonly Buffer[]): Buffer {
  const [first, ...others] = roots.map((bytes) => JSON.parse(bytes.toString()));
  for (const other of others)
    for (const list of ['tlogs', 'certificateAuthorities', 'ctlogs', 'timestampAuthorities'])
      first[list].push(...other[list]);
  return Buffer.from(JSON.stringify(first));
}

/** The statement as ci gets it, signed by that job, and sent as what the root names. */
async function approved(
  { registry }: Company,
  { release, sigstore, own }: { release: number; sigstore: Sigstore; own: Sigstore },
  { issuer = ISSUER, san = SAN, elsewhere = false }: Job,
): Promise<unknown> {
  const { url } = sigstore;
  const rekor = elsewhere ? own.url : url;
  const trustedRoot = together(sigstore.trustedRoot, own.trustedRoot);
  const signer = keylessSigner(
    {
      lockkeeper: 'key/v1',
      kind: 'sigstore',
      ...{ issuer, san, trustedRoot: trustedRoot.toString('base64'), fulcio: url, rekor, tsa: url },
    },
    {
      environment: { SIGSTORE_ID_TOKEN: identityToken({ iss: issuer, sub: san }) },
      now: () => new Date(),
    },
  );
  const statement = await registry.statement('ci', release);
  statement.predicate.environments = ['development'];
  statement.predicate.accepts = { 'LK-SRF-01': 'read the change' };
  const made = await sealWith(signer, STATEMENT_TYPE, Buffer.from(canonical(statement)));
  const envelope = { ...made, signatures: made.signatures.map((one) => ({ ...one, keyid: KEYID })) };
  return told(registry.call('ci', 'POST', `/v1/releases/${release}/approvals`, { envelope }));
}

async function jobs(world: World, neighbour: Job): Promise<Scenario> {
  const company = await makeCompany(world);
  const [sigstore, own] = [await startSigstore(), await startSigstore()];
  for (const instance of [sigstore, own]) world.atEnd(() => instance.close());
  await letIn(company, sigstore);
  const { registry } = company;
  const [one, other] = [
    await registry.scanned('dave', submissionOf('1.3.0')),
    await registry.scanned('dave', submissionOf('1.4.0')),
  ];
  return {
    control: () => approved(company, { release: one, sigstore, own }, {}),
    attack: () => approved(company, { release: other, sigstore, own }, neighbour),
    state: async () =>
      JSON.stringify((await registry.pool.query('select digest from approvals order by 1')).rows),
  };
}

export const keylessRows: readonly Row[] = [
  {
    id: 'keyless-neighbour',
    attacker: 'another branch of the same repository',
    attack: 'approves with its own certificate in the name of the branch that may',
    refusedBy: 'registry',
    code: 'SIGNATURE_INVALID',
    run: (world) => jobs(world, { san: SAN.replace('main', 'mai') }),
  },
  {
    id: 'keyless-other-issuer',
    attacker: 'an issuer of their own at the same certificate authority',
    attack: 'certifies the same name for somebody else',
    refusedBy: 'registry',
    code: 'SIGNATURE_INVALID',
    run: (world) => jobs(world, { issuer: `${ISSUER}.evil.test` }),
  },
  {
    id: 'keyless-other-log',
    attacker: 'the job itself, which keeps its approvals to itself',
    attack: 'has its signature in a log of its own, which nobody watches',
    refusedBy: 'registry',
    code: 'SIGNATURE_INVALID',
    run: (world) => jobs(world, { elsewhere: true }),
  },
];
