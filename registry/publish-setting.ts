/** Where checkpoints are published, as a setting names it. */
import { bucketAt } from '../runtime/store/bucket-setting.ts';
import type { PublishSetting } from './publish.ts';
import { badSetting } from './setting.ts';

/** Null for no such setting. Throws CONFIG_INVALID. */
export function publishOf(env: Readonly<Record<string, string | undefined>>): PublishSetting | null {
  const given = env.LOCKKEEPER_PUBLISH;
  if (given === undefined) return null;
  if (given.startsWith('git:')) return { folder: given.slice(4), git: true };
  if (!given.startsWith('s3:')) return { folder: given, git: false };
  const bucket = bucketAt(given, env);
  if (bucket.credentials !== null) return { bucket };
  throw badSetting(
    'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE, to publish in a bucket',
    'neither',
  );
}
