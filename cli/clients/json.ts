/** Members of an entry in JSON, with comments or without, put in the place of others. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { createScanner, type Node, parseTree } from 'jsonc-parser';
import type { Members } from '../../scanner/targets/client-file.ts';
import { isTable, type Rewriting, type Splice, unclear, wholeLine } from './splices.ts';

/** Member by member, so that comments beside them and the order of them stay. Throws DOCUMENT_INVALID. */
export function jsonSplices(path: string, text: string, changes: readonly Rewriting[]): Splice[] {
  const root = parseTree(text, [], { allowTrailingComma: true });
  return changes.flatMap(({ place, before, after }) => {
    const node = place.reduce<Node | undefined>((at, name) => at && memberOf(at, name)?.value, root);
    if (node?.type !== 'object') throw unclear(path, place.at(-1) ?? '');
    return memberSplices(path, text, { node, before, after });
  });
}

/** What tells how a server is reached stands together. */
const ANCHORS = ['command', 'path', 'url', 'serverUrl', 'httpUrl'];

interface Member {
  readonly node: Node;
  readonly value: Node;
}

function memberOf({ children = [] }: Node, name: string): Member | undefined {
  const found = children.find(({ children: [key] = [] }) => key?.value === name);
  const value = found?.children?.[1];
  return found && value && { node: found, value };
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
    if (!Object.hasOwn(after, name) && fresh.length > 0) {
      const { node: whole } = member;
      splices.push({
        from: whole.offset,
        to: whole.offset + whole.length,
        text: linesOf(fresh.splice(0), after, leadOf(text, whole)),
      });
    } else if (!Object.hasOwn(after, name)) gone.push(member.node);
    else if (isTable(before[name]) && isTable(value) && member.value.type === 'object')
      splices.push(...memberSplices(path, text, { node: member.value, before: before[name], after: value }));
    else if (!isDeepStrictEqual(before[name], value))
      splices.push({ from: offset, to: offset + length, text: jsonOf(value) });
    if (Object.hasOwn(after, name) && ANCHORS.includes(name)) {
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
