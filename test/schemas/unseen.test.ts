import { expect, it } from 'vitest';
import { plain } from '../../cli/output.ts';
import { clean } from '../../runtime/journal/formats/text.ts';
import { quote } from '../../schemas/errors.ts';

const UNSEEN = [
  '\u00ad',
  '\u061c',
  '\u180e',
  '\u200b',
  '\u202e',
  '\u206a',
  '\u3164',
  '\ufe00',
  '\u{e0041}',
  '\u{e0100}',
];
const HONEST = 'Grüße, שלום, 你好, \u2764\ufe0f 👍';

it.each(UNSEEN)('what nobody sees is shown, wherever text of others is: %j', (mark) => {
  for (const shown of [quote(`a${mark}b`), plain(`a${mark}b`), clean(`a${mark}b`, 99)]) {
    expect(shown).not.toContain(mark);
    expect(shown).toMatch(/^"?a(?:\\u\{?[0-9a-f]{2,6}\}?){1,2}b"?$/);
  }
  expect(JSON.parse(quote(`a${mark}b`))).toBe(`a${mark}b`);
});

it('and what they see stays', () => {
  expect([quote(HONEST), plain(HONEST), clean(HONEST, 99)]).toEqual([`"${HONEST}"`, HONEST, HONEST]);
});
