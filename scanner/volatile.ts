/** What honestly varies between two captures of the same bytes. Recorded at review, never guessed later. */
import type { Json } from '../schemas/common.ts';
import { refusing } from '../schemas/errors.ts';
import { canonical } from '../schemas/json.ts';
import { pointerOf, SECTIONS, type Surface } from '../schemas/surface.ts';

/** More than this is not variation but another surface each time. */
const MAX_VOLATILE = 50;

/** Whole items, and what is judged by: names, schemas, hints. */
const HELD = /^\/[^/]+\/[^/]+(?:$|\/(?:name|uri|uriTemplate|annotations|inputSchema|outputSchema)(?:\/|$))/;
const ABOUT_SERVER = /^\/(?:serverInfo|capabilities|instructions)\b/;
/** A text at a place of a schema where JSON Schema has one, which no argument is judged by. */
const SCHEMA_TEXT =
  /^\/tools\/[^/]+\/(?:inputSchema|outputSchema)(?:\/(?:properties|patternProperties|\$defs|definitions)\/[^/]+|\/(?:anyOf|allOf|oneOf|prefixItems)\/\d+|\/(?:items|additionalProperties|not|if|then|else))*\/(?:description|title)$/;

/** Pointers of the values that differ. Throws SURFACE_UNREADABLE when items come and go, or too much differs. */
export function volatileBetween(first: Surface, second: Surface): string[] {
  for (const section of SECTIONS) {
    const a = Object.keys(first[section]).sort();
    const b = Object.keys(second[section]).sort();
    if (canonical(a) !== canonical(b)) {
      const odd = [...a.filter((key) => !b.includes(key)), ...b.filter((key) => !a.includes(key))];
      throw unsteady(
        `the same ${section} in two starts`,
        `${odd.slice(0, 5).join(', ')} in one of them only`,
      );
    }
  }
  const found: string[] = [];
  for (const field of ['serverInfo', 'capabilities', 'instructions', ...SECTIONS] as const)
    walk(pointerOf(field), first[field] as Json, second[field] as Json, found);
  const held = found.find((at) => HELD.test(at) && !ABOUT_SERVER.test(at) && !SCHEMA_TEXT.test(at));
  if (held !== undefined)
    throw unsteady('names, schemas and hints that stay the same', `${held} differs between two starts`);
  if (found.length > MAX_VOLATILE)
    throw unsteady(
      'a surface that stays the same',
      `${found.length} values that differ between two starts, ${found.slice(0, 3).join(', ')} among them`,
    );
  return found.sort();
}

const unsteady = refusing(
  'SURFACE_UNREADABLE',
  'A surface that changes by itself cannot be locked; ask its maintainers for one that does not',
);

function walk(at: string, a: Json | undefined, b: Json | undefined, found: string[]): void {
  // A mask takes the place of a value; where there is none it could not, and each start would have another pin.
  if (a === undefined || b === undefined)
    throw unsteady('the same members in two starts', `${at} in one of them only`);
  if (canonical(a) === canonical(b)) return;
  const bothObjects =
    a !== null &&
    b !== null &&
    typeof a === 'object' &&
    typeof b === 'object' &&
    Array.isArray(a) === Array.isArray(b);
  if (!bothObjects || (Array.isArray(a) && Array.isArray(b) && a.length !== b.length)) {
    found.push(at);
    return;
  }
  const left = a as Record<string, Json>;
  const right = b as Record<string, Json>;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)]))
    walk(at + pointerOf(key), own(left, key), own(right, key), found);
}

/** A member, never what an object inherits: names are the server's choice. */
function own(object: Record<string, Json>, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
