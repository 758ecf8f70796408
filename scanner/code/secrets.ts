/** Secrets of well-known shapes in a text. Where a shape has a check sum, a text that does not fit it is no secret. */
import { crc32 } from 'node:zlib';
import { lineAround, type Mark } from './facts.ts';

interface Shape {
  readonly kind: string;
  readonly pattern: RegExp;
  readonly fits?: (found: string) => boolean;
  /** The shape alone leaves no doubt. */
  readonly certain?: true;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The last six characters are the CRC-32 of what follows the prefix, in base 62. */
function summed(found: string): boolean {
  const body = found.slice(found.indexOf('_') + 1);
  let rest = crc32(body.slice(0, -6));
  let sum = '';
  for (; rest > 0; rest = Math.floor(rest / 62)) sum = DIGITS.charAt(rest % 62) + sum;
  return body.slice(-6) === sum.padStart(6, '0');
}

/** Words of an example: repeated, counted up, or said to be one. */
function varied(found: string): boolean {
  return (
    new Set(found.slice(-16)).size > 7 &&
    !/example|abcdef|123456789|xxxx|your|test|fake|dummy|placeholder/i.test(found)
  );
}

const SHAPES: readonly Shape[] = [
  { kind: 'GitHub token', pattern: /\bgh[pousr]_[A-Za-z0-9]{36}\b/g, fits: summed, certain: true },
  { kind: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/g, fits: summed, certain: true },
  {
    kind: 'GitHub fine-grained token',
    pattern: /\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b/g,
    fits: varied,
  },
  { kind: 'GitLab token', pattern: /\bglpat-[A-Za-z0-9_-]{20,64}\b/g, fits: varied },
  { kind: 'PyPI token', pattern: /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}/g, certain: true },
  { kind: 'AWS access key', pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g, fits: varied },
  { kind: 'Google API key', pattern: /\bAIza[A-Za-z0-9_-]{35}\b/g, fits: varied },
  { kind: 'Slack token', pattern: /\bxox[abprs]-\d{10,13}-\d{10,13}-[A-Za-z0-9-]{20,}\b/g, fits: varied },
  { kind: 'Stripe key', pattern: /\b[rs]k_live_[A-Za-z0-9]{24,99}\b/g, fits: varied },
  {
    kind: 'OpenAI key',
    pattern: /\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{16,}T3BlbkFJ[A-Za-z0-9_-]{16,}\b/g,
    certain: true,
  },
  { kind: 'Anthropic key', pattern: /\bsk-ant-(?:api|admin)\d\d-[A-Za-z0-9_-]{93}AA\b/g, certain: true },
  { kind: 'SendGrid key', pattern: /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b/g, fits: varied },
  { kind: 'Telegram bot token', pattern: /\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b/g, fits: varied },
  {
    kind: 'Discord webhook',
    pattern: /\bdiscord(?:app)?\.com\/api\/webhooks\/\d{17,20}\/[A-Za-z0-9_-]{60,}/g,
    fits: varied,
  },
  {
    kind: 'Slack webhook',
    pattern: /\bhooks\.slack\.com\/services\/T[A-Z0-9]{8,}\/B[A-Z0-9]{8,}\/[A-Za-z0-9]{24}/g,
    fits: varied,
  },
  {
    kind: 'npm registry credential',
    pattern: /:_(?:authToken|password|auth)\s*=\s*["']?(?!\$\{|npm_)[A-Za-z0-9+/=_-]{20,}/g,
    fits: varied,
  },
  {
    kind: 'private key',
    pattern:
      /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\\n|\s)+(?:[A-Za-z0-9+/=]{40,}(?:\\n|\s)+["'+\s]*){3,}/g,
    fits: (found) => new Set(found.slice(40, 400)).size > 30,
  },
];
const MOST = 50;
/** A quick look before the shapes are tried. */
const HINT =
  /gh[pousr]_|npm_|github_pat_|glpat-|pypi-AgE|A[KS]IA|AIza|xox[abprs]-|[rs]k_live_|T3BlbkFJ|sk-ant-|SG\.|:AA|webhooks|hooks\.slack|:_(?:auth|pass)|PRIVATE KEY/;

/** Files that only a test reads hold secrets made for it. */
const TEST_FILE = /(?:^|\/)(?:__tests__|tests?|fixtures?|examples?|docs?)\/|\.(?:test|spec)\.|\.md$/i;

export function secretsIn(path: string, text: string): Mark[] {
  if (!HINT.test(text)) return [];
  const marks: Mark[] = [];
  for (const { kind, pattern, fits, certain } of SHAPES) {
    for (const match of text.matchAll(pattern)) {
      const [found] = match;
      if (fits && !fits(found)) continue;
      const line = text.slice(0, match.index).split('\n').length;
      const excerpt = lineAround(text, match.index).replaceAll(found, shown(found));
      const told = excerpt.includes(found.slice(12, 24)) ? shown(found) : excerpt;
      marks.push({ kind, grave: certain === true && !TEST_FILE.test(path), path, line, excerpt: told });
      if (marks.length >= MOST) return marks;
    }
  }
  return marks;
}

/** Enough to find it again, not enough to use it. */
function shown(found: string): string {
  return `${found.slice(0, 8)}… (${found.length} characters)`;
}
