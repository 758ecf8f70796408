/** Narrow once, at the door: after `assertValid` nobody checks again. */
import { Build, Errors } from 'typebox/schema';
import { type Code, LockkeeperError, quote } from './errors.ts';
import type { Static, TSchema } from './type.ts';

interface Fault {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message: string;
}

type Check = (value: unknown) => boolean;

const checks = new WeakMap<TSchema, Check>();

/**
 * Compiled when it is first asked. The check alone is kept: the text it was made of stays in thousands of pieces, which for
 * an idle gateway came to 0.8 MB.
 */
function checkOf(schema: TSchema): Check {
  const known = checks.get(schema);
  if (known) return known;
  const { check } = Build(schema).Evaluate() as unknown as { readonly check: Check };
  checks.set(schema, check);
  return check;
}

export function isValid<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
  return checkOf(schema)(value);
}

/** Returns the value typed, or throws naming up to eight bad fields. `what` names the document in the sentence. */
export function assertValid<S extends TSchema>(
  schema: S,
  value: unknown,
  what: string,
  code: Code = 'DOCUMENT_INVALID',
): Static<S> {
  if (isValid(schema, value)) return value;
  throw new LockkeeperError(code, {
    expected: `${what} as its schema says`,
    found:
      problems(Errors(schema, value)[1] as unknown as readonly Fault[], schema).join('; ') ||
      'a value that does not fit',
    next: 'Correct these fields and try again',
  });
}

const MAX_PROBLEMS = 8;

/** One sentence a field: the first thing that is wrong with it, in the words of its schema. */
function problems(faults: readonly Fault[], schema: TSchema): string[] {
  const fields = Map.groupBy(
    faults.filter(({ keyword }) => keyword !== 'boolean'),
    ({ instancePath }) => instancePath,
  );
  return [...fields]
    .slice(0, MAX_PROBLEMS)
    .map(([path, list]) => `${quote(path || '/', 120)} ${wordsOf(list, schema)}`);
}

function wordsOf(faults: readonly Fault[], schema: TSchema): string {
  const words = faults
    .filter(({ keyword }) => keyword === 'const')
    .map(({ params }) => JSON.stringify(params.allowedValue));
  if (words.length > 0) return `must be ${words.length > 1 ? 'one of ' : ''}${words.join(', ')}`;
  const [fault] = faults;
  if (!fault) return 'does not fit';
  const { keyword, params, message, schemaPath } = fault;
  const names = params.additionalProperties;
  if (Array.isArray(names)) {
    return `${message} (${names
      .slice(0, 5)
      .map((name) => quote(String(name), 60))
      .join(', ')})`;
  }
  const meaning = keyword === 'pattern' ? descriptionAt(schema, schemaPath) : null;
  return meaning === null ? message : `must be ${meaning}`;
}

/** What the schema at a path like #/properties/a/items says of itself. */
function descriptionAt(schema: TSchema, path: string): string | null {
  let at: unknown = schema;
  for (const part of path.split('/').slice(1)) {
    at =
      at !== null && typeof at === 'object'
        ? (at as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')]
        : null;
  }
  const { description } = (at ?? {}) as { description?: unknown };
  return typeof description === 'string' ? description : null;
}
