/** Published checkpoints as victim: another history laid in the bucket, published over it, and what was kept taken away. */
import { readPublished } from '../../cli/published.ts';
import { publisherOf } from '../../registry/publish.ts';
import { bucketAt } from '../../runtime/store/bucket-setting.ts';
import { numberedLog } from '../helpers/log.ts';
import { type S3, startS3 } from '../helpers/s3.ts';
import { logSigner } from '../helpers/trust.ts';
import type { Row, Scenario } from './row.ts';
import type { World } from './world.ts';

const PLACE = 's3://acme-log/lk';
const honest = numberedLog(logSigner);
const other = numberedLog(logSigner, (index) => (index === 2 ? ' forged' : ''));

const publish = (s3: S3, size: number, log = honest): Promise<void> =>
  publisherOf({ bucket: bucketAt(PLACE, s3.environment) })(log.noteAt(size), {
    proof: async (from, to) => log.proof(from, to),
    keys: [log.key],
  });
const read = (s3: S3): Promise<unknown> => readPublished(PLACE, { cwd: '/', environment: s3.environment });

/** Two buckets with the checkpoint of three entries; the second is what is attacked. */
async function bucketed(
  world: World,
  prepare: (s3: S3) => void,
  acts: { control: (s3: S3) => Promise<unknown>; attack: (s3: S3) => Promise<unknown> },
): Promise<Scenario> {
  const [twin, victim] = [await startS3(), await startS3()];
  for (const s3 of [twin, victim]) {
    world.atEnd(() => s3.close());
    await publish(s3, 3);
  }
  prepare(victim);
  return {
    control: () => acts.control(twin),
    attack: () => acts.attack(victim),
    state: () => JSON.stringify([...victim.objects]),
  };
}

export const publishedRows: readonly Row[] = [
  {
    id: 'bucket-rewritten-log',
    attacker: 'the registry with its log key',
    attack: 'publishes a rewritten log over what lies in the bucket',
    refusedBy: 'registry',
    code: 'LOG_FORK',
    run: (world) =>
      bucketed(world, () => undefined, {
        control: (s3) => publish(s3, 7),
        attack: (s3) => publish(s3, 7, other),
      }),
  },
  {
    id: 'bucket-forked',
    attacker: 'the bucket with the log key',
    attack: 'has another history where the next checkpoint is kept',
    refusedBy: 'registry',
    code: 'LOG_FORK',
    run: (world) =>
      bucketed(world, (s3) => s3.put('lk/checkpoints/7', other.noteAt(7)), {
        control: (s3) => publish(s3, 7),
        attack: (s3) => publish(s3, 7),
      }),
  },
  {
    id: 'bucket-cut-back',
    attacker: 'whoever may write to the bucket',
    attack: 'takes the newest kept checkpoint away',
    refusedBy: 'monitor',
    code: 'PUBLISHED_SHRANK',
    run: (world) =>
      bucketed(
        world,
        (s3) => {
          s3.put('lk/checkpoints/2', honest.noteAt(2));
          s3.objects.delete('lk/checkpoints/3');
        },
        { control: read, attack: read },
      ),
  },
];
