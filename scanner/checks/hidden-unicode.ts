import { TAGS, tagged, tricksIn } from '../../runtime/content/hidden.ts';
import { finding, firedOr, gravest, type SurfaceCheck } from './check.ts';
import { textsOfBoth } from './texts.ts';

/** Characters that a person does not see, or takes for others, and a model reads. */
export const hiddenUnicode: SurfaceCheck = {
  id: 'LK-TXT-01',
  title: 'No hidden characters in tool text',
  owasp: 'MCP03',
  run: (facts) => {
    const texts = textsOfBoth(facts);
    const findings = texts.flatMap(({ at, text }) =>
      tricksIn(text).map(({ name, severity, pattern }) => {
        const hidden = name === TAGS ? tagged(text) : '';
        const evidence = [{ kind: 'text' as const, at: revealed(at), excerpt: revealed(text, pattern) }];
        return finding(
          severity,
          `${name} in ${revealed(at)}${hidden ? `, which spell ${JSON.stringify(hidden)}` : ''}`,
          evidence,
        );
      }),
    );
    return firedOr(gravest(findings), `${texts.length} texts`);
  },
};

/** The text around the place, everything outside ASCII shown by number. */
function revealed(text: string, pattern?: RegExp): string {
  const from = pattern ? Math.max(0, text.search(pattern) - 40) : 0;
  return text
    .slice(from, from + 200)
    .replace(/[^\x20-\x7e]/gu, (c) => (c === '\n' ? ' ' : `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`));
}
