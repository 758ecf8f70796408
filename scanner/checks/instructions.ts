import { type Check, excerpt, finding, firedOr } from './check.ts';
import { PHRASES, type Phrase } from './phrases.ts';
import { textsOf } from './texts.ts';

/** Sentences that speak to the model about something else than the tool, and commands wrapped so that nobody reads them. */
export const instructions: Check = {
  id: 'LK-TXT-02',
  title: 'No instructions to the model in tool text',
  owasp: 'MCP03',
  run: ({ surface }) => {
    const texts = textsOf(surface);
    const findings = texts.flatMap(({ at, text }) =>
      phrasesIn(text).map(({ why, around }) =>
        finding('high', `${at} ${why}`, [{ kind: 'text', at, excerpt: around }]),
      ),
    );
    return firedOr(findings.slice(0, 100), `${texts.length} texts, ${PHRASES.length} rules`);
  },
};

interface Hit {
  readonly why: string;
  readonly around: string;
}

/** Each reason once per text, as it reads after everything invisible and every line break is taken out. */
export function phrasesIn(text: string): Hit[] {
  const plain = plainOf(text);
  const hits = new Map<string, string>();
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
  const found = pattern.exec(plain);
  if (found === null) return null;
  if (unless === undefined) return found.index;
  const from = plain.slice(0, found.index).search(/[.!?;](?=\s)[^.!?;]*$/);
  const rest = plain.slice(found.index + found[0].length);
  const end = rest.search(/[.!?;](?:\s|$)/);
  const sentence = plain.slice(from + 1, found.index + found[0].length + (end < 0 ? rest.length : end));
  return unless.test(sentence) ? null : found.index;
}

const SHELL = /\b(?:curl|wget|bash|chmod|nc|rm -rf|powershell|eval)\b|\/bin\/sh|\/dev\/tcp/i;

/** Base64 words that turn into readable text. */
function* wrapped(plain: string): Generator<[string, string]> {
  for (const [word] of plain.matchAll(/[A-Za-z0-9+/]{20,}={0,2}/g)) {
    const decoded = Buffer.from(word, 'base64').toString('latin1');
    if (/^[\x20-\x7e\s]{12,}$/.test(decoded)) yield [word.slice(0, 80), decoded];
  }
}
