/** Members of an entry in TOML put in the place of others. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'smol-toml';
import { isTable, type Rewriting, type Splice, unclear, wholeLine } from './splices.ts';
import { type Pair, type Toml, tomlIn } from './toml-text.ts';

interface Of extends Rewriting {
  readonly path: string;
  readonly text: string;
  readonly toml: Toml;
  /** By the JSON of their names. */
  readonly pairs: ReadonlyMap<string, Pair>;
}

/**
 * Member by member, in whichever of TOML's forms each stands, so that comments beside them and the order of them stay. Throws
 * DOCUMENT_INVALID.
 */
export function tomlSplices(path: string, text: string, changes: readonly Rewriting[]): Splice[] {
  const toml = positions(path, text);
  const pairs = new Map(toml.pairs.map((pair) => [JSON.stringify(pair.path), pair]));
  return changes.flatMap((change) => memberSplices({ ...change, path, text, toml, pairs }));
}

function positions(path: string, text: string): Toml {
  try {
    return tomlIn(text);
  } catch {
    throw unclear(path, 'each of its members');
  }
}

function memberSplices(of: Of): Splice[] {
  const { path, text, pairs, place, before, after } = of;
  const at = (name: string): Pair | undefined => pairs.get(JSON.stringify([...place, name]));
  const fresh = Object.keys(after).filter((name) => !Object.hasOwn(before, name));
  const splices: Splice[] = [];
  const gone: string[] = [];
  for (const name of Object.keys(before)) {
    const value = after[name];
    const pair = at(name);
    if (isDeepStrictEqual(before[name], value)) continue;
    if (!Object.hasOwn(after, name)) {
      // What the server is started by stands where its address stood, and the other way round.
      if (fresh.length > 0 && pair) splices.push(instead(text, pair, fresh.splice(0), after));
      else gone.push(name);
    } else if (isTable(before[name]) && isTable(value))
      splices.push(...memberSplices({ ...of, place: [...place, name], before: before[name], after: value }));
    else if (pair) splices.push({ from: pair.value, to: pair.to, text: tomlOf(value) });
    else throw unclear(path, name);
  }
  const anchor = at('command') ?? at('url');
  if (fresh.length > 0 && !anchor) throw unclear(path, fresh.join(', '));
  if (anchor) splices.push(...behind(text, anchor, fresh, after));
  return [...splices, ...removals(of, gone)];
}

function tomlOf(value: unknown): string {
  return stringify({ x: value }).slice('x = '.length).trimEnd();
}

/** As the one beside it is written: alike from the left, and with the same names before its own. */
function linesOf(text: string, pair: Pair, names: readonly string[], members: Rewriting['after']): string[] {
  const before = text.slice(pair.from, pair.name);
  return names.map((name) => `${before}${name} = ${tomlOf(members[name])}`);
}

function leadOf(text: string, { from, beside }: Pair): string {
  if (beside !== null) return ', ';
  const line = text.lastIndexOf('\n', from - 1) + 1;
  return `${text.charAt(line - 2) === '\r' ? '\r\n' : '\n'}${text.slice(line, from)}`;
}

function instead(text: string, pair: Pair, names: readonly string[], members: Rewriting['after']): Splice {
  return {
    from: pair.from,
    to: pair.to,
    text: linesOf(text, pair, names, members).join(leadOf(text, pair)),
  };
}

/** Behind its line, comment and all. */
function behind(text: string, pair: Pair, names: readonly string[], members: Rewriting['after']): Splice[] {
  if (names.length === 0) return [];
  const end = pair.beside === null ? text.indexOf('\n', pair.to) : pair.to;
  const at = end < 0 ? text.length : end - (text.charAt(end - 1) === '\r' ? 1 : 0);
  const lead = leadOf(text, pair);
  const lines = linesOf(text, pair, names, members);
  return [{ from: at, to: at, text: lines.map((line) => lead + line).join('') }];
}

/** Lines of their own with their headers; of an inline table with a comma each. */
function removals({ path, text, toml, place }: Of, names: readonly string[]): Splice[] {
  if (names.length === 0) return [];
  const isGone = ({ path: at }: { path: readonly string[] }): boolean =>
    place.every((name, index) => name === at[index]) && names.includes(at[place.length] ?? '');
  const gone = toml.pairs.filter(isGone);
  const lines = [...gone.filter(({ beside }) => beside === null), ...toml.headers.filter(isGone)];
  // What stands in the value of another that goes, goes with it.
  const outer = gone.filter(
    (pair) =>
      pair.beside !== null && !gone.some((one) => one !== pair && one.value < pair.from && pair.to <= one.to),
  );
  const splices = outer.map((pair) => {
    const beside = pair.beside ?? [];
    const index = beside.indexOf(pair);
    const next = beside[index + 1];
    const kept = beside.slice(0, index).findLast((one) => !isGone(one));
    if (next) return { from: pair.from, to: next.from, text: '' };
    const first = kept ? { from: kept.to } : { from: pair.from };
    return { ...first, to: pair.to, text: '' };
  });
  if (splices.some(({ from, to }) => /[\n#]/.test(text.slice(from, to))))
    throw unclear(path, names.join(', '));
  return [...lines.map(({ from, to }) => ({ ...wholeLine(text, from, to), text: '' })), ...joined(splices)];
}

/** A run of members that go at the end of a table takes the comma before it, once. */
function joined(splices: readonly Splice[]): Splice[] {
  return splices.filter(
    (one) => !splices.some((other) => other !== one && other.from <= one.from && one.to <= other.to),
  );
}
