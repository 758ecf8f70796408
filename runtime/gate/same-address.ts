/** Addresses that are written differently and may be one to the server that reads them. */
import { posix } from 'node:path';
import { folded } from '../wire/names.ts';

/** By locked resources: which of them are alike. */
const known = new WeakMap<object, ReadonlyMap<string, readonly string[]>>();

/** The listed addresses that this one may mean. `listed`: by address; the same object for the same lock. */
export function listedAs(uri: string, listed: Readonly<Record<string, unknown>>): readonly string[] {
  const alike = known.get(listed) ?? byForm(Object.keys(listed));
  known.set(listed, alike);
  return alike.get(formOf(uri)) ?? [];
}

function byForm(uris: readonly string[]): Map<string, readonly string[]> {
  const alike = new Map<string, string[]>();
  for (const uri of uris) {
    const form = formOf(uri);
    alike.set(form, [...(alike.get(form) ?? []), uri]);
  }
  return alike;
}

/**
 * Without what is looser than any server reads it: percent signs decoded, the size of letters, dots and slashes on the way,
 * question and fragment.
 */
function formOf(uri: string): string {
  let text = uri;
  for (let times = 0; times < 3 && text.includes('%'); times++) text = decoded(text);
  const [bare = ''] = text.split(/[?#]/, 1);
  return folded(posix.normalize(`/${bare.normalize('NFKC')}/`));
}

/** Each byte by itself where they are no text together. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/%([0-7][0-9a-f])/gi, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
  }
}
