/** Published checkpoints as victim: another history laid in the bucket, published over it, and what was kept taken away. */
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPublished } from '../../cli/published-checkpoints.ts';
import { publisherOf } from '../../registry/checkpoints/publish.ts';
import { bucketAt } from '../../runtime/store/bucket-setting.ts';
import { numberedLog } from '../helpers/log.ts';
import { type S3, startS3 } from '../helpers/s3.ts';
import { tempDir } from '../helpers/session.ts';
import { logSigner } from '../helpers/trust.ts';
import { makeSigner } from '../helpers/witness.ts';
import { must, type Row, type Scenario } from './row.ts';

const PLACE = 's3://acme-log/lk';
const honest = numberedLog(logSigner);
const other = numberedLog(logSigner, (index) => (index === 2 ? ' forged' : ''));

const neighbour = numberedLog(makeSigner('log.other.test'));
const stranger = numberedLog(makeSigner(logSigner.name));
const keyAt = (size: number): string => `<Contents><Key>lk/checkpoints/${size}</Key></Contents>`;
const LIES = `<ListBucketResult>${Array.from({ length: 100 }, (_, n) => keyAt(900 + n)).join('')}${keyAt(3)}</ListBucketResult>`;
const BROKEN_OFF = `<ListBucketResult><IsTruncated>true</IsTruncated>${keyAt(3)}</ListBucketResult>`;

const publish = (s3: S3, size: number, log = honest): Promise<void> =>
  publisherOf({ bucket: bucketAt(PLACE, s3.environment) })(log.noteAt(size), {
    proof: async (from, to) => log.proof(from, to),
    keys: [log.key],
  });
const read = (s3: S3): Promise<unknown> => readPublished(PLACE, { cwd: '/', environment: s3.environment });

const next = (s3: S3): Promise<void> => publish(s3, 7);

type Act = (s3: S3) => Promise<unknown>;

/** Two buckets with the checkpoint of three entries; the second is what is attacked, by the same act unless told. */
const bucketed =
  (prepare: (s3: S3) => void, control: Act, attack = control): Row['run'] =>
  async (world) => {
    const [twin, victim] = [await startS3(), await startS3()];
    for (const s3 of [twin, victim]) {
      world.atEnd(() => s3.close());
      await publish(s3, 3);
    }
    prepare(victim);
    return {
      control: () => control(twin),
      attack: () => attack(victim),
      state: () => JSON.stringify([...victim.objects]),
    };
  };
const asItIs = (): void => undefined;
const listing =
  (body: string) =>
  (s3: S3): void => {
    s3.before = ({ query }) => (query.has('list-type') ? { status: 200, body } : null);
  };

/** Two folders; in the second the newest checkpoint is a link. What the refusal says is nothing of what it leads to. */
async function linked(): Promise<Scenario> {
  const [twin, victim] = [tempDir(), tempDir()];
  const secret = join(tempDir(), 'lock.pem');
  writeFileSync(
    secret,
    '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHIDDEN\n-----END PRIVATE KEY-----\n',
  );
  const at = (folder: string, size: number): Promise<void> =>
    publisherOf({ folder, git: false })(honest.noteAt(size), {
      proof: async (from, to) => honest.proof(from, to),
      keys: [honest.key],
    });
  for (const folder of [twin, victim]) await at(folder, 3);
  rmSync(join(victim, 'checkpoint'));
  symlinkSync(secret, join(victim, 'checkpoint'));
  return {
    control: () => at(twin, 7),
    attack: () => at(victim, 7),
    state: () => JSON.stringify([readdirSync(victim, { recursive: true }), readFileSync(secret, 'utf8')]),
    after: ({ message }) => {
      must(!message.includes('HIDDEN'), 'the refusal shows what the link leads to');
      return undefined;
    },
  };
}

export const publishedRows: readonly Row[] = [
  {
    id: 'bucket-rewritten-log',
    attacker: 'the registry with its log key',
    attack: 'publishes a rewritten log over what lies in the bucket',
    refusedBy: 'registry',
    code: 'LOG_FORK',
    run: bucketed(asItIs, next, (s3) => publish(s3, 7, other)),
  },
  {
    id: 'bucket-forked',
    attacker: 'the bucket with the log key',
    attack: 'has another history where the next checkpoint is kept',
    refusedBy: 'registry',
    code: 'LOG_FORK',
    run: bucketed((s3) => s3.put('lk/checkpoints/7', other.noteAt(7)), next),
  },
  {
    id: 'bucket-other-log',
    attacker: 'another registry, with a key of its own',
    attack: 'publishes its log in the same bucket',
    refusedBy: 'registry',
    code: 'PUBLISHED_FOREIGN',
    run: bucketed(asItIs, next, (s3) => publish(s3, 7, neighbour)),
  },
  {
    id: 'bucket-false-alarm',
    attacker: 'whoever may write to the bucket',
    attack: 'lays a larger log under a key of nobody there, to have this one called rewritten',
    refusedBy: 'registry',
    code: 'PUBLISHED_FOREIGN',
    run: bucketed((s3) => s3.put('lk/checkpoint', stranger.noteAt(40)), next),
  },
  {
    id: 'folder-leads-out',
    attacker: 'whoever may write to the folder or push into its repository',
    attack: 'puts a link to a key of the registry where the newest checkpoint lies',
    refusedBy: 'registry',
    code: 'PUBLISHED_FOREIGN',
    run: linked,
  },
  {
    id: 'bucket-list-lies',
    attacker: 'the bucket',
    attack: 'lists a hundred names of nothing, so that the true ones are left out',
    refusedBy: 'monitor',
    code: 'PUBLISHED_SHRANK',
    run: bucketed(listing(LIES), read),
  },
  {
    id: 'bucket-list-broken-off',
    attacker: 'the bucket',
    attack: 'breaks its list off before the newest, and says that it goes on',
    refusedBy: 'monitor',
    code: 'PUBLISHED_REFUSED',
    run: bucketed(listing(BROKEN_OFF), read),
  },
  {
    id: 'bucket-cut-back',
    attacker: 'whoever may write to the bucket',
    attack: 'takes the newest kept checkpoint away',
    refusedBy: 'monitor',
    code: 'PUBLISHED_SHRANK',
    run: bucketed((s3) => {
      s3.put('lk/checkpoints/2', honest.noteAt(2));
      s3.objects.delete('lk/checkpoints/3');
    }, read),
  },
];
