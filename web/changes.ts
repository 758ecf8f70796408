/** What a release changes against an earlier one, gravest first; what many items share is told once. */
import type { DiffView } from '../schemas/api.ts';
import { type Child, card, el, fold, shown, soft, table, tag } from './dom.ts';
import { measured } from './materials.ts';
import { changed } from './surface.ts';

type Change = DiffView['changes'][number];

const RISKS = ['risk', 'contract', 'text', 'additive', 'cosmetic'];
const KINDS: Readonly<Record<string, string>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'template',
};

export function changes(diff: DiffView): HTMLElement {
  if (diff.before === null)
    return card('Changes', soft('No release of this server was approved before: all of it is new.'));
  const sorted = [...diff.reach, ...diff.changes].sort(
    (a, b) => RISKS.indexOf(a.risk) - RISKS.indexOf(b.risk),
  );
  const rows = together(sorted).map(rowOf);
  const { rewritten } = diff.artifacts;
  return card(
    `Changes since ${diff.before.version}${diff.step === undefined || diff.step === 'none' ? '' : `: as an API, ${diff.step}`}`,
    ...rewritten.map((purl) =>
      el('p', {}, tag('fired', 'other bytes'), ' ', el('code', {}, purl), ' under the same name and version'),
    ),
    rows.length > 0
      ? el('div', { class: 'changes' }, table(['Risk', 'Where', 'Change'], rows))
      : soft('The surface is the same.'),
    packages(diff.artifacts),
    diff.measures ? fold(['Size and licences'], [el('pre', {}, ...measured(diff.measures))]) : null,
  );
}

/** Changes of several items that are the same. */
interface Same {
  readonly change: Change;
  /** Null: not of an item. */
  readonly kind: string | null;
  readonly names: string[];
  /** What of it; empty for the whole of it. */
  readonly rest: string;
}

/** In the order of the first of each. Whole items that came stand alone, for each is to be read. */
export function together(all: readonly Change[]): Same[] {
  const found = new Map<string, Same>();
  for (const change of all) {
    const [, section = '', key = '', rest = ''] = /^\/(\w+)\/([^/]+)(?:\/(.*))?$/s.exec(change.at) ?? [];
    const kind = (Object.hasOwn(KINDS, section) ? KINDS[section] : null) ?? null;
    const gone = rest === '' && change.kind === 'removed';
    const what = gone ? [] : rest === '' ? [change.at] : [change.before, change.after];
    const id = JSON.stringify([change.risk, change.how ?? change.kind, kind ?? change.at, rest, what]);
    const same = found.get(id) ?? {
      change,
      kind,
      names: [],
      rest: kind === null ? change.at.slice(1) : rest,
    };
    found.set(id, same);
    if (kind !== null) same.names.push(key.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return [...found.values()];
}

function rowOf(same: Same): Child[] {
  const { change, kind, rest } = same;
  const whole = kind !== null && rest === '';
  const { before, after } = change;
  const item = whole && change.kind === 'added' && after !== null && typeof after === 'object';
  return [
    tag(change.risk),
    where(same),
    whole && change.kind === 'removed'
      ? null
      : item
        ? added(after)
        : changed(
            '',
            before === undefined ? undefined : shown(before),
            after === undefined ? undefined : shown(after),
          ),
  ];
}

function where({ change, kind, names, rest }: Same): HTMLElement {
  const how = change.how ?? change.kind;
  const of = rest === '' ? [] : [el('code', {}, rest), ' '];
  if (kind === null) return el('div', {}, ...of, how);
  if (names.length === 1) return el('div', {}, `${kind} `, el('strong', {}, names[0] ?? ''), ' ', ...of, how);
  const list = el('p', { class: 'soft' }, names.join(', '));
  const head = [...of, `${how}, ${names.length} ${kind}s`];
  return names.length > 8 ? fold(head, [list]) : el('div', {}, ...head, list);
}

/** A new item: what is said of it, and the rest of it on a click. */
function added(item: object): HTMLElement {
  const { name: _, description, ...rest } = item as { name?: unknown; description?: unknown };
  return el(
    'div',
    {},
    el('p', { class: 'words' }, description === undefined ? '(no description)' : shown(description)),
    fold(['the rest of it'], [el('pre', {}, shown(rest))]),
  );
}

/** A package that has another version is one change of it, not two. */
function packages({ added: now, removed: was }: DiffView['artifacts']): HTMLElement {
  const [fresh, gone] = [versionsOf(now), versionsOf(was)];
  const names = [...new Set([...fresh.keys(), ...gone.keys()])].sort();
  const told = names.map((name) => {
    const [before, after] = [gone.get(name)?.join(' and '), fresh.get(name)?.join(' and ')];
    if (before === undefined) return el('span', { class: 'after' }, `+ ${name} ${after}\n`);
    if (after === undefined) return el('span', { class: 'before' }, `- ${name} ${before}\n`);
    return el('span', {}, `  ${name} ${before} -> ${after}\n`);
  });
  const count = (held: (name: string) => boolean): number => names.filter(held).length;
  const changedCount = count((name) => fresh.has(name) && gone.has(name));
  return fold(
    [
      `Packages: ${changedCount} changed, ${count((name) => !gone.has(name))} added, ${count((name) => !fresh.has(name))} removed`,
    ],
    [el('pre', {}, ...told)],
  );
}

function versionsOf(purls: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const purl of purls) {
    const name = purl.replace(/^pkg:(?:npm|pypi)\//, '').replace(/^%40/, '@');
    const at = name.lastIndexOf('@');
    const [head, version] = at > 0 ? [name.slice(0, at), name.slice(at + 1)] : [name, ''];
    found.set(head, [...(found.get(head) ?? []), version]);
  }
  return found;
}
