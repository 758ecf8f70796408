/** Notes in a bucket. */
import { openBucket } from '../../../runtime/store/bucket.ts';
import type { BucketSetting } from '../../../runtime/store/bucket-setting.ts';
import type { Shelf } from './shelf.ts';

/** Conditional writes: of replicas that publish at once, one writes and the others look again. */
export function bucketShelf(setting: BucketSetting): Shelf {
  const bucket = openBucket(setting);
  return {
    read: async (name) => {
      const found = await bucket.read(name);
      return found && { note: found.text, tag: found.etag };
    },
    lay: (name, note, over) => bucket.write(name, note, over && { text: over.note, etag: over.tag }),
    unfinished: async () => [],
    finish: async () => undefined,
  };
}
