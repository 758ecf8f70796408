/** The repository that trust files are asked of, as its settings name it. There is none by default. */
import { quote } from '../../schemas/errors.ts';
import { badSetting } from '../settings/bad.ts';

export interface TufSetting {
  /** Address of the metadata; what it names lies under `targets/` of it. */
  readonly url: string;
  /** Path of the root.json to begin with. */
  readonly root: string;
  /** What to take: the name that root.json pins it under, and what it is called in the repository. */
  readonly targets: readonly { readonly name: string; readonly path: string }[];
}

const TARGET = '[a-z0-9-]{1,64}=[A-Za-z0-9._-]{1,100}(?:/[A-Za-z0-9._-]{1,100}){0,3}';
export const TARGETS_PATTERN = new RegExp(`^${TARGET}(,${TARGET}){0,7}$`);

/** Throws CONFIG_INVALID for one setting without the other, and for a name that is given twice. */
export function tufOf(env: Readonly<Record<string, string | undefined>>): TufSetting | null {
  const { LOCKKEEPER_TUF: url, LOCKKEEPER_TUF_ROOT: root, LOCKKEEPER_TUF_TARGETS: given } = env;
  if (url === undefined) {
    if (root === undefined && given === undefined) return null;
    throw badSetting('LOCKKEEPER_TUF beside the other settings of the repository', 'none');
  }
  if (!URL.canParse(url)) throw badSetting('LOCKKEEPER_TUF as an address', quote(url));
  if (root === undefined)
    throw badSetting(
      'LOCKKEEPER_TUF_ROOT: nothing of a repository is believed without a root to begin with',
      'none',
    );
  const targets = (given ?? 'sigstore=trusted_root.json').split(',').map((word) => {
    const at = word.indexOf('=');
    return { name: word.slice(0, at), path: word.slice(at + 1) };
  });
  const names = targets.map(({ name }) => name);
  if (new Set(names).size < names.length)
    throw badSetting('LOCKKEEPER_TUF_TARGETS with each name once', names.join(', '));
  return { url: url.replace(/\/+$/, ''), root, targets };
}
