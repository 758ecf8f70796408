/** Items that have another name and are the same by what they take and say. */
import { isObject, type Json, type JsonObject } from '../common.ts';

export interface Rename {
  readonly from: string;
  readonly to: string;
}

type Items = Readonly<Record<string, JsonObject>>;

/** From here on two items count as one that was renamed; and pairs that are compared at most. */
const SAME = 0.6;
const MOST_PAIRS = 100_000;

/** The best pairs of what is gone and what is new, each item once. Names alone prove nothing, nor does an empty schema. */
export function renamesIn(gone: Items, fresh: Items): Rename[] {
  const was = Object.entries(gone).map(([key, item]) => ({ key, ...tellingOf(key, item) }));
  const is = Object.entries(fresh).map(([key, item]) => ({ key, ...tellingOf(key, item) }));
  if (was.length * is.length > MOST_PAIRS) return [];
  const pairs = was
    .flatMap((from) => is.map((to) => ({ from: from.key, to: to.key, likeness: likeness(from, to) })))
    .filter(({ likeness: like }) => like >= SAME)
    .sort((a, b) => b.likeness - a.likeness || (a.from < b.from ? -1 : 1));
  const taken = new Set<string>();
  return pairs.flatMap(({ from, to }) => {
    if (taken.has(`- ${from}`) || taken.has(`+ ${to}`)) return [];
    taken.add(`- ${from}`).add(`+ ${to}`);
    return [{ from, to }];
  });
}

interface Telling {
  readonly name: ReadonlySet<string>;
  readonly words: ReadonlySet<string>;
  readonly takes: ReadonlySet<string>;
}

function tellingOf(key: string, item: JsonObject): Telling {
  const words = (text: string): Set<string> =>
    new Set(
      text
        .replace(/([a-z])([A-Z])/g, '$1 $2')
        .toLowerCase()
        .match(/[\p{L}\d]+/gu) ?? [],
    );
  const description = typeof item.description === 'string' ? item.description.slice(0, 4000) : '';
  return { name: words(key), words: words(description), takes: parametersOf(item) };
}

/** Name and type of what a tool or a prompt takes. */
function parametersOf({ inputSchema, arguments: prompted }: JsonObject): Set<string> {
  const properties = isObject(inputSchema) && isObject(inputSchema.properties) ? inputSchema.properties : {};
  const typed = Object.entries(properties).map(([name, schema]) =>
    isObject(schema) ? `${name}:${JSON.stringify(schema.type ?? null)}` : name,
  );
  const named = (Array.isArray(prompted) ? prompted : []).map((one: Json) =>
    JSON.stringify(one).slice(0, 200),
  );
  return new Set([...typed, ...named]);
}

function likeness(a: Telling, b: Telling): number {
  const named = shared(a.name, b.name);
  const says = shared(a.words, b.words);
  // The same name but for its spelling needs little else.
  if (named === 1) return says >= 0.3 || (a.takes.size > 0 && shared(a.takes, b.takes) >= 0.3) ? 1 : says;
  // Tools without parameters all take the same: only their words tell them apart.
  if (a.takes.size + b.takes.size === 0) return 0.7 * says + 0.3 * named;
  return 0.4 * shared(a.takes, b.takes) + 0.4 * says + 0.2 * named;
}

function shared(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let both = 0;
  for (const item of a) if (b.has(item)) both++;
  const all = a.size + b.size - both;
  return all === 0 ? 0 : both / all;
}
