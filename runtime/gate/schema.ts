/** Arguments against the locked input schemas. A schema that cannot be judged permits nothing; no address is ever fetched. */
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Surface } from '../../schemas/surface.ts';
import { isObject } from '../wire/message.ts';
import { folded } from '../wire/names.ts';
import { type BoundedSchema, boundedSchema, type Problem } from './bounded.ts';

export type ArgumentCheck = (tool: string, args: Json) => LockkeeperError | null;

type Schemas = (tool: string) => BoundedSchema | undefined;

/** By locked surface: sessions of one server judge by the same schemas, read once. */
const checks = new WeakMap<Pick<Surface, 'tools'>, ArgumentCheck>();

/** The schemas of one member of the locked tools, each read on first use. Undefined where the tool has none. */
export function lockedSchemas(
  surface: Pick<Surface, 'tools'>,
  member: 'inputSchema' | 'outputSchema',
): Schemas {
  const known = new Map<string, BoundedSchema | undefined>();
  return (tool) => {
    if (known.has(tool)) return known.get(tool);
    // Names that are not locked are a client's own, and without number.
    if (!Object.hasOwn(surface.tools, tool)) return undefined;
    const schema = surface.tools[tool]?.[member];
    const judge = schema === undefined ? undefined : boundedSchema(schema);
    known.set(tool, judge);
    return judge;
  };
}

/** Problems in a sentence; both pointers and messages may quote what somebody sent. */
export function problemsIn(problems: readonly Problem[]): string {
  return problems
    .slice(0, 5)
    .map(({ at, message }) => `${quote(at || '/', 100)} ${message}`)
    .join('; ');
}

/** Judges what is said to the tools of a surface; the same function for the same surface. */
export function argumentCheck(surface: Pick<Surface, 'tools'>): ArgumentCheck {
  const check = checks.get(surface) ?? makeCheck(surface);
  checks.set(surface, check);
  return check;
}

function makeCheck(surface: Pick<Surface, 'tools'>): ArgumentCheck {
  const schemas = lockedSchemas(surface, 'inputSchema');
  const none = boundedSchema(undefined);
  return (tool, args) => {
    const problems = (schemas(tool) ?? none).problems(args);
    const twin = problems.length > 0 ? null : twinIn(args, surface.tools[tool]?.inputSchema);
    if (problems.length === 0 && twin === null) return null;
    return new LockkeeperError('ARGUMENTS_INVALID', {
      expected: `arguments of ${quote(tool, 128)} as its locked schema says`,
      found:
        twin === null ? problemsIn(problems) : `${quote(twin, 100)}, which a program may take for another`,
      next: 'Correct the arguments',
    });
  };
}

/**
 * A name that the schema does not have, and that is one of its own but for the size of letters: what was judged under the one
 * name some programs read under the other. Null where there is none.
 */
function twinIn(args: Json | undefined, schema: Json | undefined): string | null {
  if (!isObject(args) || !isObject(schema) || !isObject(schema.properties)) return null;
  const { properties } = schema;
  const strange = Object.keys(args).filter((name) => !Object.hasOwn(properties, name));
  const known = strange.length === 0 ? null : new Set(Object.keys(properties).map(folded));
  const twin = strange.find((name) => known?.has(folded(name)));
  if (twin !== undefined) return twin;
  for (const [name, inner] of Object.entries(properties)) {
    const found = Object.hasOwn(args, name) ? twinIn(args[name], inner) : null;
    if (found !== null) return found;
  }
  return null;
}
