/** The words of a manifest with its variables filled in: what is known at approval, and nothing that is not. */
import { quote } from '../../schemas/errors.ts';
import { incomplete } from '../tree.ts';
import type { Manifest } from './manifest.ts';

/** Where a bundle's files are in the sandbox. */
export const INSIDE = '/app/bundle';
const FIXED: Readonly<Record<string, string>> = {
  __dirname: INSIDE,
  HOME: '/tmp',
  pathSeparator: '/',
  '/': '/',
};
const VARIABLE = /\$\{([^{}]*)\}/g;
const ASKED = /^user_config\.(.+)$/s;

export interface Settings {
  /** All values of this key; none where nobody has to give one. Throws CLOSURE_INCOMPLETE where somebody has to. */
  values(key: string): readonly string[];
  /** Is it asked of each person, and by nobody else to be known? */
  isOpen(key: string): boolean;
  readonly label: string;
}

type Given = Readonly<Record<string, readonly string[]>>;

/** From what the submission says and the manifest's own defaults. Throws CLOSURE_INCOMPLETE for keys that nobody asks for. */
export function settingsOf(manifest: Manifest, given: Given, label: string): Settings {
  const asked = manifest.user_config ?? {};
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(asked, key)) {
      const names = Object.keys(asked).map((one) => quote(one, 60));
      throw incomplete(
        `settings of ${label} that its manifest asks for`,
        `${key}, beside ${names.join(', ') || 'none'}`,
      );
    }
    if (asked[key]?.sensitive === true)
      throw incomplete(
        `${key} of ${label} from the project, as a variable: what is published stands in every lock`,
        'a value for what its manifest calls sensitive',
      );
  }
  const known = (key: string): readonly string[] | null => {
    if (Object.hasOwn(given, key)) return checked(key, asked[key]?.type, given[key] ?? [], label);
    return Object.hasOwn(asked, key) ? defaultIn(asked[key]?.default) : null;
  };
  return {
    label,
    isOpen: (key) => known(key) === null,
    values: (key) => {
      const found = known(key);
      if (found !== null) return found;
      if (Object.hasOwn(asked, key) && asked[key]?.required !== true) return [];
      throw incomplete(`a value of ${quote(key, 60)} for ${label}: --config ${key}=VALUE`, 'none');
    },
  };
}

function checked(
  key: string,
  type: string | undefined,
  values: readonly string[],
  label: string,
): readonly string[] {
  const fits = (one: string): boolean => {
    if (type === 'number') return one.trim() !== '' && Number.isFinite(Number(one));
    return type === 'boolean' ? one === 'true' || one === 'false' : true;
  };
  const bad = values.find((one) => !fits(one));
  if (bad === undefined) return values;
  throw incomplete(`a ${type} as ${key} of ${label}`, quote(bad, 60));
}

/** Null for none, and for one that names a folder of a person's own machine. */
function defaultIn(value: unknown): readonly string[] | null {
  if (value === undefined || value === null || value === '') return null;
  const all = [value].flat().map(String);
  return all.some((one) => one.includes('${')) ? null : all;
}

/** Keys of the manifest's settings that a text has in it. */
export function askedIn(text: string): string[] {
  return [...text.matchAll(VARIABLE)].flatMap(([, name = '']) => ASKED.exec(name)?.[1] ?? []);
}

/** One text: a word that is one setting becomes as many words as that has values. Throws CLOSURE_INCOMPLETE. */
export function filledIn(text: string, settings: Settings): readonly string[] {
  const [alone] = /^\$\{([^{}]*)\}$/.exec(text) === null ? [] : askedIn(text);
  if (alone !== undefined) return settings.values(alone);
  return [
    text.replace(VARIABLE, (whole, name: string) => {
      const [, key] = ASKED.exec(name) ?? [];
      if (key === undefined && Object.hasOwn(FIXED, name)) return FIXED[name] ?? '';
      if (key === undefined)
        throw incomplete(`variables of ${settings.label} that mean something in a sandbox`, quote(whole, 60));
      const values = settings.values(key);
      if (values.length === 1) return values[0] ?? '';
      throw incomplete(
        `one value of ${quote(key, 60)} for ${settings.label}: --config ${key}=VALUE`,
        `${values.length}`,
      );
    }),
  ];
}
