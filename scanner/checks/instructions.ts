import { MAX_TEXT, meansHarm, phrasesIn } from '../../runtime/content/instructions.ts';
import { TOOL_PHRASES } from '../../runtime/content/phrases.ts';
import { WORD_BY_WORD } from '../reading/gloss.ts';
import { type Passage, readingOf } from '../reading/passages.ts';
import { excerpt, finding, firedOr, gravest, type SurfaceCheck } from './check.ts';
import { asApproved } from './texts.ts';

/** Sentences that speak to the model about something else than the tool, and commands wrapped so that nobody reads them. */
export const instructions: SurfaceCheck = {
  id: 'LK-TXT-02',
  title: 'No instructions to the model in tool text',
  owasp: 'MCP03',
  run: (facts) => {
    const { passages, unread } = readingOf(facts);
    const old = asApproved(facts.baseline);
    const findings = passages
      .filter((passage) => !old(passage))
      .flatMap((passage) =>
        reasonsIn(passage).map(({ why, around }) =>
          finding('high', `${passage.at} ${why}`, [{ kind: 'text', at: passage.at, excerpt: around }]),
        ),
      );
    if (unread > 0) findings.push(tooMuch(unread));
    return firedOr(gravest(findings), `${passages.length} texts, ${TOOL_PHRASES.length} rules`);
  },
};

function tooMuch(unread: number): ReturnType<typeof finding> {
  const evidence = [{ kind: 'fact', source: 'surface', value: `${unread} characters unread` }] as const;
  return finding('high', 'the server shows more text than is read', evidence);
}

interface Reason {
  readonly why: string;
  readonly around: string;
}

/** Each reason once per text, with what stands around it. */
export function reasonsIn({ text, plain, how }: Pick<Passage, 'text' | 'plain' | 'how'>): Reason[] {
  if (how !== null && how !== WORD_BY_WORD)
    return meansHarm(plain)
      ? [{ why: 'carries an encoded command', around: `${how} reads: ${excerpt(plain)}` }]
      : [];
  const reasons = new Map<string, string>();
  if (text.length > MAX_TEXT)
    reasons.set(`is longer than is read (${text.length} characters)`, excerpt(text, MAX_TEXT));
  for (const { why, at, plain: read } of phrasesIn(plain)) reasons.set(why, excerpt(read, at, 240));
  return [...reasons].map(([why, around]) => ({ why, around }));
}
