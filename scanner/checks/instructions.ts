import { type Check, excerpt, finding, firedOr, gravest } from './check.ts';
import { PHRASES, type Phrase } from './phrases.ts';
import { textsOfBoth } from './texts.ts';

/** Sentences that speak to the model about something else than the tool, and commands wrapped so that nobody reads them. */
export const instructions: Check = {
  id: 'LK-TXT-02',
  title: 'No instructions to the model in tool text',
  owasp: 'MCP03',
  run: (facts) => {
    const texts = textsOfBoth(facts);
    const findings = texts.flatMap(({ at, text }) =>
      phrasesIn(text).map(({ why, around }) =>
        finding('high', `${at} ${why}`, [{ kind: 'text', at, excerpt: around }]),
      ),
    );
    return firedOr(gravest(findings), `${texts.length} texts, ${PHRASES.length} rules`);
  },
};

/** Characters of one text that are read; nobody reviews more, and a rule may take its square in time. */
const MAX_TEXT = 20_000;

interface Hit {
  readonly why: string;
  readonly around: string;
}

/** Each reason once per text, as it reads after everything invisible and every line break is taken out. */
export function phrasesIn(text: string): Hit[] {
  const plain = plainOf(text.slice(0, MAX_TEXT));
  const hits = new Map<string, string>();
  if (text.length > MAX_TEXT)
    hits.set(`is longer than is read (${text.length} characters)`, excerpt(text, MAX_TEXT));
  for (const phrase of PHRASES) {
    const at = placeOf(phrase, plain);
    if (at !== null && !hits.has(phrase.why)) hits.set(phrase.why, excerpt(plain, at, 240));
  }
  for (const [encoded, decoded] of wrapped(plain)) {
    const hit = PHRASES.find((phrase) => placeOf(phrase, decoded) !== null);
    if (hit || SHELL.test(decoded))
      hits.set('carries an encoded command', `${encoded} reads: ${excerpt(decoded)}`);
  }
  return [...hits].map(([why, around]) => ({ why, around }));
}

function plainOf(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[\u00ad\u200b-\u200f\u2060-\u2064\ufeff\u{e0000}-\u{e007f}]/gu, '')
    .replace(/\s+/g, ' ');
}

/** Where the phrase stands, unless its own sentence says the opposite. */
function placeOf({ pattern, unless }: Phrase, plain: string): number | null {
  for (const found of plain.matchAll(new RegExp(pattern, `${pattern.flags.replace('g', '')}g`)))
    if (unless === undefined || !unless.test(sentenceOf(plain, found))) return found.index;
  return null;
}

/** From the end of the sentence before to the end of the one that the match ends in. */
function sentenceOf(plain: string, found: RegExpExecArray): string {
  const from = plain.slice(0, found.index).search(/[.!?;](?=\s)[^.!?;]*$/);
  const rest = plain.slice(found.index + found[0].length);
  const end = rest.search(/[.!?;](?:\s|$)/);
  return plain.slice(from + 1, found.index + found[0].length + (end < 0 ? rest.length : end));
}

const SHELL = /\b(?:curl|wget|bash|chmod|nc|rm -rf|powershell|eval)\b|\/bin\/sh|\/dev\/tcp/i;

/** Base64 words that turn into readable text. */
function* wrapped(plain: string): Generator<[string, string]> {
  for (const [word] of plain.matchAll(/[A-Za-z0-9+/]{20,}={0,2}/g)) {
    const decoded = Buffer.from(word, 'base64').toString('latin1');
    if (/^[\x20-\x7e\s]{12,}$/.test(decoded)) yield [word.slice(0, 80), decoded];
  }
}
