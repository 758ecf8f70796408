/** Which locked things a line is about: `all locked tools`, `the docs server`, `tool echo of the test server`. */
import { quote } from '../../schemas/errors.ts';
import { SECTIONS, type Section } from '../../schemas/surface.ts';
import type { Names, Need, Selection } from './rules.ts';
import { invalid, type Words } from './words.ts';

const ADJECTIVES: Readonly<Record<string, Need>> = {
  read: 'readOnly',
  'read-only': 'readOnly',
  write: '!readOnly',
  destructive: 'destructive',
  'open-world': 'openWorld',
  'closed-world': '!openWorld',
};

const KINDS: Readonly<Record<string, readonly Section[]>> = {
  tool: ['tools'],
  tools: ['tools'],
  prompt: ['prompts'],
  prompts: ['prompts'],
  resource: ['resources', 'resourceTemplates'],
  resources: ['resources', 'resourceTemplates'],
};

const FORMS =
  '"all locked tools", "write tools", "tool NAME of the ALIAS server", "the ALIAS server" or "everything locked"';

/** Throws POLICY_INVALID for what is not understood, and for a name that is not in the lock. */
export function readSelection(words: Words, names: Names): Selection {
  if (words.ahead === 'the') {
    return { kinds: SECTIONS, servers: readServers(words, names), names: [], needs: [] };
  }
  words.take('all');
  words.take('locked');
  if (words.take('everything')) {
    words.take('locked');
    return { kinds: SECTIONS, servers: ofServers(words, names), names: [], needs: [] };
  }
  const needs = readAdjectives(words);
  const word = words.takeOne(Object.keys(KINDS));
  const kinds = word === undefined ? undefined : KINDS[word];
  if (kinds === undefined) throw words.expected(FORMS);
  if (needs.length > 0 && kinds[0] !== 'tools') throw words.expected('"tools" after such a word');
  const wanted = readNames(words, word ?? '');
  if (kinds[0] === 'tools') needs.push(...readThat(words));
  const servers = ofServers(words, names);
  if (kinds[0] === 'tools') needs.push(...readThat(words));
  if (wanted.length > 0) assertNamed(words, { kinds, servers, wanted, names });
  return { kinds, servers, names: wanted, needs };
}

function readAdjectives(words: Words): Need[] {
  const needs: Need[] = [];
  for (;;) {
    const word = words.takeOne(Object.keys(ADJECTIVES));
    const need = word === undefined ? undefined : ADJECTIVES[word];
    if (need === undefined) return needs;
    needs.push(need);
    words.take('and');
    words.take('locked');
  }
}

/** Names that stand between the kind and `of`; without `of` a name would open the same name at every server. */
function readNames(words: Words, kind: string): string[] {
  const ends = words.done || ['of', 'that', ','].includes(words.ahead ?? '');
  if (ends) {
    if (kind === 'tool' || kind === 'prompt' || kind === 'resource') throw words.expected(`a ${kind}`);
    return [];
  }
  const found = words.names(`a ${kind.replace(/s$/, '')}`, [',', 'and']);
  if (words.ahead !== 'of') throw words.expected('"of the ALIAS server" after the names');
  return found;
}

function readThat(words: Words): Need[] {
  if (!words.take('that')) return [];
  if (words.take('read', 'untrusted', 'text')) return ['readsUntrusted'];
  if (words.take('read', 'private', 'data')) return ['readsPrivate'];
  if (words.take('send', 'out')) return ['sendsOut'];
  throw words.expected('"read untrusted text", "read private data" or "send out" after "that"');
}

function ofServers(words: Words, names: Names): string[] {
  return words.take('of') ? readServers(words, names) : [];
}

function readServers(words: Words, names: Names): string[] {
  words.need('the');
  const found = words.names('the alias of a server', [',', 'and']);
  if (!words.take(found.length === 1 ? 'server' : 'servers'))
    throw words.expected(found.length === 1 ? '"server" after its alias' : '"servers" after their aliases');
  return [...new Set(found.map((name) => aliasOf(words, name, names)))];
}

/** A server is named by its alias in the lock, or by its whole name where one alias has it. */
function aliasOf(words: Words, name: string, { servers }: Names): string {
  if (servers.has(name)) return name;
  const aliases = [...servers].filter(([, { server }]) => server === name).map(([alias]) => alias);
  const [only] = aliases;
  if (only !== undefined && aliases.length === 1) return only;
  const known = [...servers.keys()].join(', ') || 'it has none';
  throw invalid(words.line, `a server of the lock (${known})`, quote(name, 200));
}

function assertNamed(
  words: Words,
  at: { kinds: readonly Section[]; servers: readonly string[]; wanted: readonly string[]; names: Names },
): void {
  for (const alias of at.servers) {
    const items = at.names.servers.get(alias)?.items;
    const known = at.kinds.flatMap((kind) => items?.[kind] ?? []);
    const missing = at.wanted.find((name) => !known.includes(name));
    if (missing === undefined) continue;
    const some = `${known.slice(0, 12).join(', ')}${known.length > 12 ? ', …' : ''}`;
    throw invalid(
      words.line,
      `a locked name of the ${alias} server (${some || 'it has none'})`,
      quote(missing),
    );
  }
}
