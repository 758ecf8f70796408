/** Trust files given by hand: whoever names the file says that it is the right one. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { GIT_PIN } from '../../scanner/git/signatures.ts';
import { NPM_PIN, SIGSTORE_PIN, type TrustFiles } from '../../scanner/provenance/trust.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { type Context, list, type Values } from '../command.ts';

const NAMES: readonly string[] = [SIGSTORE_PIN, NPM_PIN, GIT_PIN];

/** Throws USAGE for another name, a name twice, and a file that cannot be read. */
export async function trustGiven(context: Context, values: Values): Promise<TrustFiles> {
  const pinned: Record<string, string> = {};
  const files = new Map<string, Uint8Array>();
  for (const word of list(values, 'trust-root')) {
    const [, name = '', path = ''] = /^([a-z]+)=(.+)$/s.exec(word) ?? [];
    const bytes =
      NAMES.includes(name) && !Object.hasOwn(pinned, name) ? await read(resolve(context.cwd, path)) : null;
    if (bytes === null) {
      throw new LockkeeperError('USAGE', {
        expected: `--trust-root NAME=FILE with a file that is there, each of ${NAMES.join(', ')} once`,
        found: quote(word),
        next: 'See: lk scan --help',
      });
    }
    pinned[name] = sha256(bytes);
    files.set(sha256(bytes), bytes);
  }
  return { pinned, files, where: '--trust-root' };
}

async function read(path: string): Promise<Buffer | null> {
  return readFile(path).catch(() => null);
}
