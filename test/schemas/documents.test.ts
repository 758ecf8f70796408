import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documents, SCHEMAS } from '../../schemas/documents.ts';
import { parseStrict } from '../../schemas/json.ts';
import { isValid } from '../../schemas/validate.ts';

const root = join(import.meta.dirname, '../..');
const examples = join(import.meta.dirname, '../fixtures/examples');
const each = (kind: 'valid' | 'invalid'): [string, string][] =>
  Object.keys(SCHEMAS).flatMap((name) =>
    readdirSync(join(examples, kind, name)).map((file): [string, string] => [name, file]),
  );

describe('the published schemas', () => {
  it('are what the values say (npm run schemas writes them)', () => {
    const wanted = documents();
    expect(readdirSync(join(root, 'schemas/json')).sort()).toEqual(Object.keys(wanted).sort());
    for (const [name, text] of Object.entries(wanted))
      expect(readFileSync(join(root, 'schemas/json', name), 'utf8'), name).toBe(text);
  });

  it.each(each('valid'))('%s takes %s', (name, file) => {
    const value = parseStrict(readFileSync(join(examples, 'valid', name, file)));
    expect(isValid(SCHEMAS[name] ?? {}, value)).toBe(true);
  });

  it.each(each('invalid'))('%s refuses %s', (name, file) => {
    const value = parseStrict(readFileSync(join(examples, 'invalid', name, file)));
    expect(isValid(SCHEMAS[name] ?? {}, value)).toBe(false);
  });
});
