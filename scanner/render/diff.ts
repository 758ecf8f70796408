/** A difference, and a surface that is new as a whole, as reviewers read them: nothing of it is cut. */
import type { DiffView } from '../../schemas/api.ts';
import { isObject } from '../../schemas/common.ts';
import { type Change, highestRisk, stepOf } from '../../schemas/diff/surfaces.ts';
import type { Measure } from '../../schemas/diff/view.ts';
import { SECTIONS, type Surface } from '../../schemas/surface.ts';
import { apart } from '../excerpt.ts';
import { counted, line, type Paint, sized, WIDTH, wrapped } from '../text.ts';

const RANK: readonly Change['risk'][] = ['risk', 'contract', 'text', 'additive', 'cosmetic'];

/** Two releases, wherever they are known from: by their versions alone. */
export type Compared = Omit<DiffView, 'before' | 'after'> & {
  readonly before: { readonly version: string } | null;
  readonly after: { readonly version: string };
};

/** Field by field, gravest first, each with its class and what it was and is; what many items share is told once. */
export function renderDiff(view: Compared, paint: Paint): string {
  const { before, after, changes, reach, artifacts } = view;
  if (before === null) {
    return `Nothing of this server was approved when ${line(after.version)} was scanned: all of it is new.`;
  }
  const top = highestRisk([...changes, ...reach]);
  const packages = `${counted(artifacts.added.length, 'package')} added, ${artifacts.removed.length} removed${
    artifacts.rewritten.length > 0
      ? `; ${artifacts.rewritten.length} of them as OTHER BYTES under the same version`
      : ''
  }`;
  const upTo = top ? `, up to class ${paintRisk(top, paint).trim()}` : '';
  const step = changes.length > 0 ? `; as an API: ${stepOf(changes)}` : '';
  const counts = `${counted(changes.length, 'change')} of the surface, ${reach.length} of what it may touch${upTo}${step}; ${packages}`;
  return [
    `${paint.bold(line(`${before.version} -> ${after.version}`))}: ${counts}`,
    ...(reach.length + changes.length > 0 ? [''] : []),
    ...together([...sorted(reach), ...sorted(changes)]).flatMap((same) => renderChange(same, paint)),
    ...renderPackages(artifacts, paint),
    ...renderMeasures(view, paint),
  ].join('\n');
}

function sorted(changes: readonly Change[]): Change[] {
  return [...changes].sort((a, b) => RANK.indexOf(a.risk) - RANK.indexOf(b.risk));
}

/** A package that has another version is one change of it, not two. */
function renderPackages({ added, removed, rewritten }: DiffView['artifacts'], paint: Paint): string[] {
  const [now, was] = [versionsOf(added), versionsOf(removed)];
  const names = [...new Set([...now.keys(), ...was.keys()])].sort();
  const both = names.filter((name) => now.has(name) && was.has(name));
  const say = (word: string, list: readonly string[], color: (text: string) => string): string[] =>
    list.length === 0
      ? []
      : wrapped(list.join(', '), WIDTH - 10).map((row, at) => `${color((at ? '' : word).padEnd(9))} ${row}`);
  const told = (from: Map<string, string[]>, name: string): string =>
    `${name} ${from.get(name)?.join(' and ')}`;
  const only = (from: Map<string, string[]>): string[] =>
    names.filter((name) => from.has(name) && !both.includes(name)).map((name) => told(from, name));
  if (names.length === 0) return [];
  return [
    '',
    paint.bold('Packages'),
    ...rewritten.map((purl) => paint.red(`! ${nameOf(purl)}: other bytes under the same name and version`)),
    ...say(
      'changed',
      both.map((name) => `${told(was, name)} -> ${now.get(name)?.join(' and ')}`),
      paint.yellow,
    ),
    ...say('added', only(now), paint.green),
    ...say('removed', only(was), paint.red),
  ];
}

/** `pkg:npm/%40scope/name@1.0.0` as npm writes it. */
function nameOf(purl: string): string {
  return line(purl.replace(/^pkg:(?:npm|pypi)\//, '').replace(/^%40/, '@'));
}

function versionsOf(purls: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const purl of purls) {
    const full = nameOf(purl);
    const at = full.lastIndexOf('@');
    const [name, version] = at > 0 ? [full.slice(0, at), full.slice(at + 1)] : [full, ''];
    found.set(name, [...(found.get(name) ?? []), version]);
  }
  return found;
}

/** How large it was and is, and which licences came and went; nothing where neither is known. */
function renderMeasures({ measures }: Compared, paint: Paint): string[] {
  if (!measures) return [];
  const { before, after } = measures;
  const told = ({ bytes, unpacked }: Measure): string =>
    `${sized(bytes)}${unpacked === null ? '' : `, ${sized(unpacked.bytes)} in ${counted(unpacked.files, 'file')} unpacked`}`;
  const [was, is] = [before === null ? null : told(before), told(after)];
  const size = was === null ? is : was === is ? `${is}, as before` : `${was} -> ${is}`;
  const old = new Set(before?.licences ?? after.licences);
  const fresh = new Set(after.licences);
  const word = (licence: string | null): string => line(licence ?? 'a licence that could not be read', 100);
  return [
    '',
    `${paint.bold('Size')}      ${size}`,
    ...[...fresh.difference(old)].map((one) => `${paint.bold('Licences')}  ${paint.green(`+ ${word(one)}`)}`),
    ...[...old.difference(fresh)].map((one) => `${paint.bold('Licences')}  ${paint.red(`- ${word(one)}`)}`),
  ];
}

/** Changes of several items that are the same, told once. */
interface Same {
  readonly change: Change;
  readonly place: Place;
  readonly names: string[];
}

/** In the order of the first of each. Whole items that came stand alone, for each is to be read. */
function together(changes: readonly Change[]): Same[] {
  const found = new Map<string, Same>();
  for (const change of changes) {
    const place = placeOf(change.at);
    const { kind, name, rest } = place;
    const gone = rest === '' && change.kind === 'removed';
    const what = gone ? [] : rest === '' ? [change.at] : [change.before, change.after];
    const key = JSON.stringify([change.risk, change.how ?? change.kind, kind ?? change.at, rest, what]);
    const same = found.get(key) ?? { change, place, names: [] };
    found.set(key, same);
    if (name !== null) same.names.push(name);
  }
  return [...found.values()];
}

interface Place {
  /** Null: not of an item. */
  readonly kind: string | null;
  readonly name: string | null;
  /** What of it; empty for the whole of it. */
  readonly rest: string;
}

const KINDS: Readonly<Record<string, string>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'template',
};

/** A JSON pointer as people say it. A name with anything odd in it stands in quotation marks. */
function placeOf(at: string): Place {
  const [, section = '', key = '', rest = ''] = /^\/(\w+)\/([^/]+)(?:\/(.*))?$/s.exec(at) ?? [];
  const kind = Object.hasOwn(KINDS, section) ? KINDS[section] : undefined;
  if (kind === undefined) return { kind: null, name: null, rest: at.slice(1) };
  const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
  return { kind, name: /^[\w.:/{}@+?=&%#~*-]+$/.test(name) ? name : JSON.stringify(name), rest };
}

function renderChange({ change, place, names }: Same, paint: Paint): string[] {
  let before = shown(change.before);
  let after = shown(change.after);
  if (before !== null && after !== null) [before, after] = apart(before, after, WIDTH);
  const part = (mark: string, text: string | null): string[] =>
    text === null
      ? []
      : wrapped(text, WIDTH - 4).map((words, index) => `  ${index === 0 ? mark : ' '} ${words}`);
  const whole = place.kind !== null && place.rest === '';
  return [
    `${paintRisk(change.risk, paint)}  ${(change.how ?? change.kind).padEnd(8)}  ${whereOf(place, names)}`,
    ...(names.length > 1 ? wrapped(names.join(', '), WIDTH - 4).map((words) => `    ${words}`) : []),
    // What is gone is told by its name: nobody reads it any more.
    ...(whole && change.kind === 'removed' ? [] : part('-', before).map((words) => paint.red(words))),
    ...(whole && change.kind === 'added'
      ? itemLines(change.after, part).map((words) => paint.green(words))
      : part('+', after).map((words) => paint.green(words))),
  ];
}

function whereOf({ kind, rest }: Place, names: readonly string[]): string {
  if (kind === null) return line(rest);
  if (names.length > 1) return line(`${rest === '' ? '' : `${rest} of `}${counted(names.length, kind)}`);
  return line(`${kind} ${names[0]}${rest === '' ? '' : `: ${rest}`}`);
}

/** A new item: what is said of it first, then field by field. */
function itemLines(item: unknown, part: (mark: string, text: string | null) => string[]): string[] {
  if (!isObject(item)) return part('+', shown(item));
  const { name: _, description, ...rest } = item as Record<string, unknown>;
  return [
    ...part('+', shown(description) ?? '(no description)'),
    ...Object.entries(rest).flatMap(([field, value]) => part('+', `${field}: ${shown(value)}`)),
  ];
}

function shown(value: unknown): string | null {
  if (value === undefined) return null;
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/\s+/g, ' ');
}

function paintRisk(risk: Change['risk'], paint: Paint): string {
  const word = risk.padEnd(8);
  if (risk === 'risk') return paint.red(word);
  return risk === 'contract' || risk === 'text' ? paint.yellow(word) : paint.dim(word);
}

/** Word for word what a model is told by a server. */
export function renderSurface(surface: Surface, paint: Paint): string {
  const parts: string[] = [];
  if (surface.instructions !== null)
    parts.push(paint.bold('Instructions'), ...indented(surface.instructions), '');
  for (const section of SECTIONS) {
    for (const [key, item] of Object.entries(surface[section])) {
      const { name: _, description, ...rest } = item;
      parts.push(`${paint.bold(line(key))}  ${paint.dim(section.replace(/s$/, ''))}`);
      parts.push(...indented(typeof description === 'string' ? description : '(no description)'));
      for (const [field, value] of Object.entries(rest)) {
        parts.push(
          ...wrapped(`${field}: ${JSON.stringify(value)}`, WIDTH - 4).map((words) =>
            paint.dim(`    ${words}`),
          ),
        );
      }
      parts.push('');
    }
  }
  return parts.join('\n').trimEnd();
}

/** Lines stay lines: a text that hides something far below its beginning is to be seen as it is. */
function indented(text: string): string[] {
  return text.split('\n').flatMap((row) => wrapped(row, WIDTH - 2).map((words) => `  ${words}`));
}
