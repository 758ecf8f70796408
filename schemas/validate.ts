/** Narrow once, at the door: after `assertValid` nobody checks again. */
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Code, LockkeeperError, quote } from './errors.ts';

interface Compiled {
  Check(value: unknown): boolean;
  Errors(
    value: unknown,
  ): Iterable<{ instancePath: string; message: string; keyword: string; params: unknown }>;
}

const compiled = new WeakMap<TSchema, Compiled>();

function compile(schema: TSchema): Compiled {
  let checker = compiled.get(schema);
  if (!checker) {
    checker = Compile(schema) as unknown as Compiled;
    compiled.set(schema, checker);
  }
  return checker;
}

export function isValid<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
  return compile(schema).Check(value);
}

/** Returns the value typed, or throws naming up to eight bad fields. `what` names the document in the sentence. */
export function assertValid<S extends TSchema>(
  schema: S,
  value: unknown,
  what: string,
  code: Code = 'DOCUMENT_INVALID',
): Static<S> {
  const checker = compile(schema);
  if (checker.Check(value)) return value as Static<S>;
  throw new LockkeeperError(code, {
    expected: `${what} as its schema says`,
    found: problems(checker.Errors(value)).join('; ') || 'a value that does not fit',
    next: 'Correct these fields and try again',
  });
}

function problems(
  errors: Iterable<{ instancePath: string; message: string; keyword: string; params: unknown }>,
): string[] {
  const seen = new Set<string>();
  for (const error of errors) {
    if (error.keyword === 'boolean') continue;
    const names = (error.params as { additionalProperties?: string[] }).additionalProperties;
    const extra = names
      ? ` (${names
          .slice(0, 5)
          .map((name) => quote(name, 60))
          .join(', ')})`
      : '';
    seen.add(`${quote(error.instancePath || '/', 120)} ${error.message}${extra}`);
    if (seen.size >= 8) break;
  }
  return [...seen];
}
