/**
 * Conditions on arguments. Each is decided in three values: what cannot be told for certain is `unknown`, and then it
 * holds for no permission and for every prohibition.
 */
import { folded } from '../../wire/names.ts';
import type { Words } from '../words.ts';
import { hostTruth, isHostPattern, looksLikeHost } from './hosts.ts';
import { type Leaf, lastName, under } from './leaves.ts';
import { isAbsolute, looksLikePath, normalised, pathTruth } from './paths.ts';
import { isRepository, repositoriesIn, repositoryTruth } from './repositories.ts';
import { looksLikeSql, SQL_VERBS, sqlTruth } from './sql.ts';

export type Truth = 'yes' | 'no' | 'unknown';
type Kind = 'paths' | 'hosts' | 'repositories' | 'statements' | 'value';

export interface Predicate {
  /** As it is written; the same text is the same condition. */
  readonly text: string;
  readonly not: boolean;
  readonly kind: Kind;
  /** Dotted name of one argument; null: every argument that looks like one of this kind. */
  readonly argument: string | null;
  readonly values: readonly string[];
}

/** Whether a condition certainly holds, and whether it may hold. */
export interface Holds {
  readonly surely: boolean;
  readonly maybe: boolean;
  /** It rests on a value that is not shown. */
  readonly hidden: boolean;
}

const FORMS =
  '"paths are below /FOLDER", "hosts are NAME", "repositories are OWNER/NAME", "statements are select", or "ARGUMENT is …"';

/** `paths are below /data or /srv`, `path is not below /etc`, `env is "prod"`. Throws POLICY_INVALID. */
export function readPredicate(words: Words): Predicate {
  words.take('all');
  const many = (['paths', 'hosts', 'repositories', 'statements'] as const).find((kind) =>
    words.take(kind, 'are'),
  );
  const argument = many === undefined ? words.name(FORMS) : null;
  if (many === undefined && !words.take('is')) throw words.expected(`"is" after the argument, or ${FORMS}`);
  const not = words.take('not');
  const kind = many ?? kindOf(words);
  if (kind === 'paths' && many !== undefined) words.need('below');
  const values = words.names('a value', ['or']).map((value) => checked(value, kind, words));
  if (kind === 'statements' && many === undefined) words.need('statement');
  const marked = values.map((value) => (/^[^\s,"]+$/.test(value) ? value : `"${value}"`)).join(' or ');
  const verb = many === undefined ? `${argument} is` : `${many} are`;
  const link = { paths: 'below ', hosts: many ? '' : 'at ', repositories: many ? '' : 'in ' };
  const between = kind === 'statements' ? (many ? '' : 'a ') : kind === 'value' ? '' : link[kind];
  const end = kind === 'statements' && many === undefined ? ' statement' : '';
  const text = `${verb}${not ? ' not' : ''} ${between}${marked}${end}`;
  return { text, not, kind, argument, values };
}

/** Of one named argument: `is below /data`, `is at example.com`, `is in acme/site`, `is a select statement`, `is "x"`. */
function kindOf(words: Words): Kind {
  if (words.take('below')) return 'paths';
  if (words.take('at')) return 'hosts';
  if (words.take('in')) return 'repositories';
  if (words.take('a') || words.take('an')) return 'statements';
  return 'value';
}

function checked(value: string, kind: Kind, words: Words): string {
  if (kind === 'paths') {
    if (isAbsolute(value)) return normalised(value);
    throw words.expected(`an absolute path without ".." (not ${value.slice(0, 60)})`);
  }
  if (kind === 'hosts') {
    if (isHostPattern(value)) return value;
    throw words.expected(`a host such as example.com or *.example.com (not ${value.slice(0, 60)})`);
  }
  if (kind === 'repositories') {
    if (isRepository(value)) return value.toLowerCase();
    throw words.expected(
      `a repository such as acme/site, acme/* or git.acme.test/acme/* (not ${value.slice(0, 60)})`,
    );
  }
  if (kind === 'statements') {
    if (SQL_VERBS.has(value)) return value;
    throw words.expected(`one of ${[...SQL_VERBS].join(', ')} (not ${value.slice(0, 60)})`);
  }
  return value;
}

/** Decides one condition on the values of `leavesOf`. `redacted`: marks of hidden text are read as such. */
export function decide(predicate: Predicate, leaves: readonly Leaf[] | null, redacted: boolean): Holds {
  if (leaves === null) return { surely: false, maybe: true, hidden: false };
  const found = candidates(predicate, leaves);
  const cut = redacted && leaves.some((leaf) => lastName(leaf) === '…');
  const hidden = cut || (redacted && found.some(({ value }) => isHidden(value)));
  const truths = found.map((leaf) => (hidden && isHidden(leaf.value) ? 'unknown' : truthOf(predicate, leaf)));
  if (cut) truths.push('unknown');
  // An argument that is left out is whatever the server makes of it.
  if (truths.length === 0 && predicate.argument !== null) truths.push('unknown');
  const all = (wanted: Truth): boolean => truths.length > 0 && truths.every((truth) => truth === wanted);
  const surely = all(predicate.not ? 'no' : 'yes');
  const maybe = predicate.not ? !all('yes') : truths.some((truth) => truth !== 'no');
  return { surely, maybe, hidden };
}

/** A value that the journal replaced or cut. */
function isHidden(value: Leaf['value']): boolean {
  return (
    typeof value === 'string' &&
    (/\[secret hmac-sha256:[0-9a-f]{32}\]/.test(value) || /… \(\d+ (?:characters|more)\)$/.test(value))
  );
}

function candidates({ kind, argument }: Predicate, leaves: readonly Leaf[]): readonly Leaf[] {
  const among = argument === null ? leaves : under(leaves, argument);
  if (kind === 'repositories') return repositoriesIn(among, argument !== null);
  if (kind === 'value') return among.filter(({ isName }) => !isName);
  const looks = { paths: looksLikePath, hosts: looksLikeHost, statements: looksLikeSql }[kind];
  return among.filter((leaf) => (argument !== null && !leaf.isName) || looks(leaf));
}

function truthOf({ kind, values }: Predicate, { value }: Leaf): Truth {
  if (kind === 'value') {
    if (value === null || typeof value === 'object') return 'unknown';
    if (values.includes(String(value))) return 'yes';
    // `PROD` is `prod` to some programs.
    const alike = (text: string): string => folded(text.normalize('NFKC')).trim();
    const same = typeof value === 'string' && values.some((one) => alike(one) === alike(value));
    return same ? 'unknown' : 'no';
  }
  if (typeof value !== 'string') return 'unknown';
  if (kind === 'paths') return pathTruth(value, values);
  if (kind === 'hosts') return hostTruth(value, values);
  return kind === 'repositories' ? repositoryTruth(value, values) : sqlTruth(value, values);
}
