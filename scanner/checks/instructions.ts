import { type Honest, MAX_TEXT, meansHarm, phrasesIn } from '../../runtime/content/instructions.ts';
import { TOOL_PHRASES } from '../../runtime/content/phrases.ts';
import { pointerParts, type Surface } from '../../schemas/surface.ts';
import { WORD_BY_WORD } from '../reading/gloss.ts';
import { type Passage, readingOf } from '../reading/passages.ts';
import { excerpt, finding, firedOr, gravest, type SurfaceCheck } from './check.ts';
import { purposeOf } from './parameters.ts';
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
        reasonsIn(passage, facts.surface).map(({ why, around }) =>
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
export function reasonsIn(
  passage: Pick<Passage, 'at' | 'text' | 'plain' | 'how'>,
  surface: Surface,
): Reason[] {
  const { text, plain, how } = passage;
  if (how !== null && how !== WORD_BY_WORD)
    return meansHarm(plain)
      ? [{ why: 'carries an encoded command', around: `${how} reads: ${excerpt(plain)}` }]
      : [];
  const reasons = new Map<string, string>();
  if (text.length > MAX_TEXT)
    reasons.set(`is longer than is read (${text.length} characters)`, excerpt(text, MAX_TEXT));
  for (const { why, at, plain: read } of phrasesIn(plain, honestIn(passage, surface)))
    reasons.set(why, `${how === null ? '' : `${how}: `}${excerpt(read, at, 240)}`);
  return [...reasons].map(([why, around]) => ({ why, around }));
}

/** Words of whoever looks for attacks, and a phrase that stands in quotation marks. */
const LOOKS =
  /\b(?:detect|scan|flag|block|filter|test|sampl|corpus|guardrail|red.?team|evaluat|classif|report)\w*/i;
const ORDERS = /\b(?:must|before|first|always|pass|include|send|append|upload|also|then|when|if)\b/i;
const TALKS = /\b(?:conversations?|chats?|dialogues?|messages?|transcripts?)\b/i;

/**
 * Honest uses of phrases: a tool that says in its first sentence that it is about a place of credentials or a conversation,
 * and attacks that are quoted as what is looked for. Rules and opinion of LK-TXT-03 still read them.
 */
function honestIn({ at, plain, how }: Pick<Passage, 'at' | 'plain' | 'how'>, { tools }: Surface): Honest {
  const [, section, key = '', field] = at.split('/');
  const [name = ''] = pointerParts(`/${key}`);
  const purpose = section === 'tools' && Object.hasOwn(tools, name) ? purposeOf(name, tools[name] ?? {}) : '';
  const opens = (sentence: string): boolean => plain.startsWith(sentence.trim());
  return (why, sentence, from) => {
    if (why === 'does something in secret') return how === WORD_BY_WORD;
    if (why === 'asks for the conversation')
      return field === 'description' && TALKS.test(purpose) && !opens(sentence);
    if (why === 'names a place of credentials')
      return field === 'description' && opens(sentence) && !ORDERS.test(sentence);
    const before = sentence.slice(0, from).match(/["“`]/g)?.length ?? 0;
    return before % 2 === 1 && LOOKS.test(sentence);
  };
}
