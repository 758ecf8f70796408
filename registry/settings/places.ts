/** Where checkpoints are published and blobs kept, as settings name it. */
import { type BucketSetting, bucketAt } from '../../runtime/store/bucket-setting.ts';
import type { PublishSetting } from '../checkpoints/publish.ts';
import { badSetting } from './bad.ts';

/** Null for no such setting. Throws CONFIG_INVALID. */
export function publishOf(env: Readonly<Record<string, string | undefined>>): PublishSetting | null {
  const given = env.LOCKKEEPER_PUBLISH;
  if (given === undefined) return null;
  if (given.startsWith('git:')) return { folder: given.slice(4), git: true };
  if (!given.startsWith('s3:')) return { folder: given, git: false };
  return { bucket: ownBucket(given, env) };
}

/** The bucket that blobs are in; null for a folder. Throws CONFIG_INVALID. */
export function blobsOf(env: Readonly<Record<string, string | undefined>>): BucketSetting | null {
  const given = env.LOCKKEEPER_BLOBS;
  return given === undefined ? null : ownBucket(given, env);
}

function ownBucket(place: string, env: Readonly<Record<string, string | undefined>>): BucketSetting {
  const bucket = bucketAt(place, env);
  if (bucket.credentials !== null) return bucket;
  throw badSetting(
    'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE, to write in a bucket',
    'neither',
  );
}
