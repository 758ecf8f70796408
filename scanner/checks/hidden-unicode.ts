import { type Check, finding, firedOr } from './check.ts';
import { textsOf } from './texts.ts';

/** Characters that a person does not see and a model reads: tags, zero-width, bidi controls, soft tricks. */
const HIDDEN: readonly (readonly [RegExp, string])[] = [
  [/[\u{e0000}-\u{e007f}]/u, 'Unicode tag characters'],
  [/[\u202a-\u202e\u2066-\u2069]/u, 'bidirectional controls'],
  [
    /[\u200b\u2060-\u2064\u180e\u00ad\u115f\u1160\u3164\uffa0]|(?<![\p{L}\p{M}\p{Emoji}])[\u200c\u200d]|\ufeff/u,
    'invisible characters',
  ],
  [/[\ufe00-\ufe0e\u{e0100}-\u{e01ef}]{2,}/u, 'runs of variation selectors'],
  [/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u, 'control characters'],
];

export const hiddenUnicode: Check = {
  id: 'LK-TXT-01',
  title: 'No hidden characters in tool text',
  owasp: 'MCP03',
  run: ({ surface }) => {
    const texts = textsOf(surface);
    const findings = texts.flatMap(({ at, text }) =>
      HIDDEN.filter(([pattern]) => pattern.test(text)).map(([, name]) =>
        finding('critical', `${name} in ${at}`, [{ kind: 'text', at, excerpt: revealed(text) }]),
      ),
    );
    return firedOr(findings.slice(0, 100), `${texts.length} texts`);
  },
};

/** The text with everything outside ASCII and common letters shown by number. */
function revealed(text: string): string {
  const at = Math.max(
    0,
    text.search(/[\u{e0000}-\u{e007f}\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]/u) - 40,
  );
  return text
    .slice(at, at + 200)
    .replace(/[^\x20-\x7e\p{L}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}
