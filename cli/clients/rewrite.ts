/** A client's file with some of its servers started by `lk run`, and every other byte as it was. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { createScanner, type Node, parseTree } from 'jsonc-parser';
import { documentOf, type Entry, type Members, membersOf } from '../../scanner/targets/client-file.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

/** What becomes of one entry. */
export interface Change {
  readonly entry: Entry;
  /** Words behind `lk`. */
  readonly words: readonly string[];
  /** Names of variables that go. */
  readonly dropped: readonly string[];
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const ADDRESSES = ['url', 'serverUrl', 'httpUrl', 'uri'];
const HEADERS = ['headers', 'http_headers'];
const VARIABLES = ['env', 'environment'];

/**
 * JSON, with comments or without. Throws DOCUMENT_INVALID where a member on the way is there twice, and where what would
 * be written does not say exactly what was meant.
 */
export function rewritten(path: string, text: string, changes: readonly Change[]): string {
  const root = parseTree(text, [], { allowTrailingComma: true });
  const splices = changes.flatMap((change) => {
    const node = change.entry.place.reduce<Node | undefined>(
      (at, name) => at && memberOf(at, name)?.value,
      root,
    );
    if (node?.type !== 'object') throw unclear(path, change.entry.alias);
    return splicesFor(path, text, { node, change });
  });
  const after = splices
    .sort((a, b) => b.from - a.from)
    .reduce((whole, { from, to, text: put }) => whole.slice(0, from) + put + whole.slice(to), text);
  const meant = changes.reduce<Members>(
    (whole, change) => replacedAt(whole, change.entry.place, change),
    documentOf(path, text),
  );
  if (isDeepStrictEqual(documentOf(path, after), meant)) return after;
  throw unclear(path, changes.map(({ entry }) => entry.alias).join(', '));
}

function unclear(path: string, name: string): LockkeeperError {
  return new LockkeeperError('DOCUMENT_INVALID', {
    expected: `${path} to say once what ${quote(name, 200)} is`,
    found: 'a member that is there twice, or a form that cannot be kept',
    next: 'Correct the file, or put the lines in its place by hand (docs/clients.md)',
  });
}

/** An entry's members afterwards, as its client reads them. */
export function adopted(before: Members, { entry, words, dropped }: Change): Members {
  const { command } = before;
  const nested = membersOf(command);
  const isList = Array.isArray(command) || (command === undefined && entry.place.at(-2) === 'mcp');
  const gone = [...ADDRESSES, ...HEADERS];
  const after: Record<string, unknown> = Object.fromEntries(
    Object.entries(before).filter(([name]) => !gone.includes(name)),
  );
  if (isList) after.command = ['lk', ...words];
  else if ('path' in nested)
    after.command = { ...withoutNames(nested, dropped), path: 'lk', args: [...words] };
  else Object.assign(after, { command: 'lk', args: [...words] });
  if (typeof before.type === 'string' && !['stdio', 'local'].includes(before.type))
    after.type = isList ? 'local' : 'stdio';
  return withoutNames(after, dropped);
}

function withoutNames(members: Members, dropped: readonly string[]): Members {
  const kept = Object.entries(members).map(([name, value]) => {
    if (!VARIABLES.includes(name) || dropped.length === 0) return [name, value];
    return [
      name,
      Object.fromEntries(Object.entries(membersOf(value)).filter(([one]) => !dropped.includes(one))),
    ];
  });
  return Object.fromEntries(kept);
}

function replacedAt(whole: Members, [name = '', ...rest]: readonly string[], change: Change): Members {
  const inner = membersOf(whole[name]);
  return { ...whole, [name]: rest.length === 0 ? adopted(inner, change) : replacedAt(inner, rest, change) };
}

interface Member {
  readonly node: Node;
  readonly value: Node;
}

function memberOf({ children = [] }: Node, name: string): Member | undefined {
  const found = children.find(({ children: [key] = [] }) => key?.value === name);
  const value = found?.children?.[1];
  return found && value && { node: found, value };
}

/** Member by member, so that comments beside them and the order of them stay. */
function splicesFor(path: string, text: string, { node, change }: { node: Node; change: Change }): Splice[] {
  const before = membersOf(
    change.entry.place.reduce<unknown>((at, name) => membersOf(at)[name], documentOf(path, text)),
  );
  return [...memberSplices(path, text, { node, before, after: adopted(before, change) })];
}

interface Pair {
  readonly node: Node;
  readonly before: Members;
  readonly after: Members;
}

function memberSplices(path: string, text: string, { node, before, after }: Pair): Splice[] {
  const splices: Splice[] = [];
  const gone: Node[] = [];
  const fresh = Object.keys(after).filter((name) => !Object.hasOwn(before, name));
  let anchor: Splice | null = null;
  for (const name of Object.keys(before)) {
    const member = memberOf(node, name);
    if (!member) throw unclear(path, name);
    const { offset, length } = member.value;
    const value = after[name];
    // What starts the server takes the place of the address.
    if (!Object.hasOwn(after, name) && fresh.length > 0 && ADDRESSES.includes(name)) {
      const { node: whole } = member;
      splices.push({
        from: whole.offset,
        to: whole.offset + whole.length,
        text: linesOf(fresh.splice(0), after, leadOf(text, whole)),
      });
    } else if (!Object.hasOwn(after, name)) gone.push(member.node);
    else if (isPlain(before[name]) && isPlain(value) && member.value.type === 'object')
      splices.push(...memberSplices(path, text, { node: member.value, before: before[name], after: value }));
    else if (!isDeepStrictEqual(before[name], value))
      splices.push({ from: offset, to: offset + length, text: jsonOf(value) });
    if (name === 'command' || name === 'path') {
      const { node: whole } = member;
      anchor = {
        from: whole.offset + whole.length,
        to: whole.offset + whole.length,
        text: leadOf(text, whole),
      };
    }
  }
  if (fresh.length > 0) {
    if (anchor === null) throw unclear(path, fresh.join(', '));
    splices.push({ ...anchor, text: `,${anchor.text}${linesOf(fresh, after, anchor.text)}` });
  }
  return [...splices, ...removals(text, node, gone)];
}

function isPlain(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function linesOf(names: readonly string[], members: Members, lead: string): string {
  return names.map((name) => `${JSON.stringify(name)}: ${jsonOf(members[name])}`).join(`,${lead}`);
}

function jsonOf(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.map((one) => JSON.stringify(one)).join(', ')}]`
    : JSON.stringify(value);
}

/** The white space before a member: its line's beginning, or what parts it from the one before. */
function leadOf(text: string, { offset }: Node): string {
  const [space = ''] = /\s*$/.exec(text.slice(0, offset)) ?? [];
  return space.slice(Math.max(0, space.search(/\r?\n[^\n]*$/))) || ' ';
}

/** Members with their commas; the last that stays has none behind it, unless one stood behind the last before. */
function removals(text: string, { children = [] }: Node, gone: readonly Node[]): Splice[] {
  const isGone = (node: Node | undefined): boolean => node !== undefined && gone.includes(node);
  const splices = gone.map((node) => {
    const comma = commaAfter(text, node);
    const end = node.offset + node.length;
    const next = comma === null || /\S/.test(text.slice(end, comma)) ? end : comma + 1;
    return { ...wholeLine(text, node.offset, next), text: '' };
  });
  const apart = gone.flatMap((node) => {
    const [comma, end] = [commaAfter(text, node), node.offset + node.length];
    return comma !== null && /\S/.test(text.slice(end, comma))
      ? [{ from: comma, to: comma + 1, text: '' }]
      : [];
  });
  const lastKept = children.findLastIndex((node) => !isGone(node));
  const last = children.at(-1);
  const kept = children[lastKept];
  if (kept === undefined || !isGone(last) || last === undefined || commaAfter(text, last) !== null)
    return [...splices, ...apart];
  const comma = commaAfter(text, kept);
  return comma === null ? splices : [...splices, ...apart, { from: comma, to: comma + 1, text: '' }];
}

function commaAfter(text: string, { offset, length }: Node): number | null {
  const scanner = createScanner(text, true);
  scanner.setPosition(offset + length);
  scanner.scan();
  const at = scanner.getTokenOffset();
  return text.charAt(at) === ',' ? at : null;
}

/** With its line where nothing else stands in it, else with the space before it. */
function wholeLine(text: string, from: number, to: number): { from: number; to: number } {
  const [before = ''] = /[ \t]*$/.exec(text.slice(0, from)) ?? [];
  const [after = ''] = /^[ \t]*\r?\n/.exec(text.slice(to)) ?? [];
  const start = from - before.length;
  const isAlone = after !== '' && (start === 0 || text.charAt(start - 1) === '\n');
  return isAlone ? { from: start, to: to + after.length } : { from: start, to };
}
