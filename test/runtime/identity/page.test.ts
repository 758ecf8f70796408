/** The configurations that docs/identity.md shows are ones that this program takes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { assertSeparate } from '../../../runtime/identity/separate.ts';
import { IdentityConfig } from '../../../schemas/identity.ts';
import { parseStrict } from '../../../schemas/json.ts';
import { UpstreamConfig } from '../../../schemas/upstream.ts';
import { assertValid } from '../../../schemas/validate.ts';

it('shows configurations that are valid', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/identity.md'), 'utf8');
  const blocks = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) => parseStrict(text));
  expect(blocks.map((block) => Object.keys(block as object))).toEqual([
    ['identity'],
    ['identity'],
    ['upstream'],
  ]);
  for (const block of blocks) {
    const { identity, upstream } = block as { identity?: unknown; upstream?: unknown };
    if (identity !== undefined) assertSeparate(assertValid(IdentityConfig, identity, 'identity').jwt ?? []);
    else assertValid(UpstreamConfig, upstream, 'upstream');
  }
});
