import { MAX_TEXT, phrasesIn, wrappedIn } from '../../runtime/content/instructions.ts';
import { TOOL_PHRASES } from '../../runtime/content/phrases.ts';
import { excerpt, finding, firedOr, gravest, type SurfaceCheck } from './check.ts';
import { textsOfBoth } from './texts.ts';

/** Sentences that speak to the model about something else than the tool, and commands wrapped so that nobody reads them. */
export const instructions: SurfaceCheck = {
  id: 'LK-TXT-02',
  title: 'No instructions to the model in tool text',
  owasp: 'MCP03',
  run: (facts) => {
    const texts = textsOfBoth(facts);
    const findings = texts.flatMap(({ at, text }) =>
      reasonsIn(text).map(({ why, around }) =>
        finding('high', `${at} ${why}`, [{ kind: 'text', at, excerpt: around }]),
      ),
    );
    return firedOr(gravest(findings), `${texts.length} texts, ${TOOL_PHRASES.length} rules`);
  },
};

interface Reason {
  readonly why: string;
  readonly around: string;
}

/** Each reason once per text, with what stands around it. */
export function reasonsIn(text: string): Reason[] {
  const reasons = new Map<string, string>();
  if (text.length > MAX_TEXT)
    reasons.set(`is longer than is read (${text.length} characters)`, excerpt(text, MAX_TEXT));
  for (const { why, at, plain } of phrasesIn(text)) reasons.set(why, excerpt(plain, at, 240));
  for (const [word, decoded] of wrappedIn(text))
    reasons.set('carries an encoded command', `${word} reads: ${excerpt(decoded)}`);
  return [...reasons].map(([why, around]) => ({ why, around }));
}
