/** What looks like a secret in a text: by its own form, or by the name that stands before it. */
import { CODED, layersOf } from './coded.ts';

/** Names of things that hold secrets, as arguments, variables, headers, options and query parameters are called. */
export const SECRET_NAME =
  /pass(?:word|phrase|wd|code)|pass$|pwd$|^pin$|secret|token|api[_-]?key|access[_-]?key|^auth$|authorization|credential|private[_-]?key|account[_-]?key|cookie|bearer|^otp$|signature|^sig$|session[_-]?id/i;

/** Forms that issuers gave their secrets so that they can be found, and the general ones: headers, JWT, private keys. */
const FORMS = [
  '(?:Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}',
  '(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}', // AWS
  'gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}',
  'gl(?:pat|cbt|dt|rt|ptt|ft|soat|oas)-[A-Za-z0-9_-]{20,}', // GitLab
  'sk-[A-Za-z0-9_-]{16,}', // OpenAI, Anthropic
  '(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}', // Stripe, webhooks
  'xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}', // Slack
  'AIza[A-Za-z0-9_-]{30,}|ya29\\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}', // Google
  'npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{20,}|dckr_pat_[A-Za-z0-9_-]{20,}',
  'hf_[A-Za-z0-9]{20,}|dapi[a-f0-9]{32}|hvs\\.[A-Za-z0-9_-]{20,}', // Hugging Face, Databricks, Vault
  'SG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}|key-[a-f0-9]{32}', // SendGrid, Mailgun
  'do[op]_v1_[a-f0-9]{40,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|gl(?:sa|c)_[A-Za-z0-9_=]{30,}', // DigitalOcean, Shopify, Grafana
  'ATATT3[A-Za-z0-9_=-]{20,}|lin_api_[A-Za-z0-9]{20,}|ntn_[A-Za-z0-9]{20,}|figd_[A-Za-z0-9_-]{20,}', // Atlassian, Linear, Notion, Figma
  'sntry[us]_[A-Za-z0-9+/=_]{20,}|sbp_[a-f0-9]{40}|PMAK-[a-f0-9-]{20,}', // Sentry, Supabase, Postman
  'lk_[A-Za-z0-9_-]{43}|lkg_[A-Za-z0-9_-]{60}', // our own
].join('|');
/** A JSON Web Token, from its first dot both ways: from its beginning, every `eyJ` in a long word would be tried to its end. */
const JWT = '\\.(?<=\\beyJ[A-Za-z0-9_-]{8,}\\.)eyJ[A-Za-z0-9_-]{8,}\\.';
export const SECRET_FORM = new RegExp(
  `^(?:Bearer|Basic) \\S{3,}|\\b(?:${FORMS})|${JWT}|-----BEGIN [A-Z ]{0,40}PRIVATE KEY|AGE-SECRET-KEY-1|hooks\\.slack\\.com/services/\\S|\\b\\d{8,10}:AA[A-Za-z0-9_-]{30,}`,
);

/** `scheme://user:password@` */
export const USERINFO = /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^/?#@\s"'<>]{1,500}@/gi;
/** `name=`, `name: `, `"name":"`, `--name `. A name begins where a word does, so one pass is enough. */
const NAME = /(?<![\w.-])([\w.-]{1,64})(?:\\?["']?\s{0,3}[=:]\s{0,3}\\?|(?<=--?[\w.-]{1,64})\s{1,3})/g;
export const VALUE =
  /"[^"]{0,4000}"?|'[^']{0,4000}'?|(?:(?:Bearer|Basic|Token|Digest) )?[^\s"'&;,#)}\]]{1,4000}/iy;

/** Whether what is called so holds a secret; a name may be written in codes. */
export function isSecretName(name: string): boolean {
  if (SECRET_NAME.test(name)) return true;
  if (!CODED.test(name)) return false;
  for (const { text } of layersOf(name)) if (SECRET_NAME.test(text)) return true;
  return false;
}

/** Whether a command line's word announces that the next one is a secret: `--password`. */
export function announcesSecret(word: string): boolean {
  return /^--?[\w-]{1,64}$/.test(word) && SECRET_NAME.test(word.replace(/^-+/, ''));
}

/**
 * The text with each secret replaced by `hash(secret)`, and nothing else: whoever puts one into a command does not hide the
 * command by it. What is written in codes is read as well.
 */
export function hideSecrets(text: string, hash: (secret: string) => string): string {
  const plain = text.toWellFormed();
  const shown = replaced(plain, [...secretsIn(plain), ...formedIn(plain)], hash);
  if (!CODED.test(shown)) return shown;
  const found: Secret[] = [];
  for (const { text: read, at } of layersOf(shown)) {
    for (const { from, to, secret } of [...secretsIn(read), ...formedIn(read)])
      found.push({ from: at(from), to: at(to), secret });
  }
  return replaced(shown, found, hash);
}

const FORM = new RegExp(SECRET_FORM.source, 'g');
const KEY_END = /-----END [A-Z ]{0,40}PRIVATE KEY-----/g;
/** What a word of a secret is made of before its form, and behind it. */
const BEFORE = /[\w+/=~.%-]/;
const BEHIND = /[^\s"'`<>&,;(){}[\]]/;
/** What may be the other half of a secret that has a form, as AWS has them; a path from the root is none. */
const HALF = /(?<![\w+/=-])(?!\/)(?=[\w+/=-]*\d)(?=[\w+/=-]*[a-z])[\w+/=-]{16,}/gi;

/** Each with the whole word that it stands in, a key to its end; and beside one, whatever looks random. */
function formedIn(text: string): Secret[] {
  const found: Secret[] = [];
  if (!SECRET_FORM.test(text)) return found;
  let last = 0;
  for (const { 0: match, index } of text.matchAll(FORM)) {
    if (index + match.length <= last) continue;
    let [from, to] = [index, index + match.length];
    if (match.startsWith('-----BEGIN')) {
      KEY_END.lastIndex = to;
      const end = KEY_END.exec(text);
      to = end === null ? text.length : end.index + end[0].length;
    }
    while (from > last && BEFORE.test(text.charAt(from - 1))) from--;
    while (to < text.length && BEHIND.test(text.charAt(to))) to++;
    found.push({ from, to, secret: text.slice(from, to) });
    last = to;
  }
  for (const { 0: secret, index } of text.matchAll(HALF))
    found.push({ from: index, to: index + secret.length, secret });
  return found;
}

interface Secret {
  readonly from: number;
  readonly to: number;
  readonly secret: string;
}

function replaced(text: string, secrets: readonly Secret[], hash: (secret: string) => string): string {
  if (secrets.length === 0) return text;
  let shown = '';
  let end = 0;
  for (const { from, to, secret } of secrets.toSorted((a, b) => a.from - b.from || b.to - a.to)) {
    if (from >= end) shown += `${text.slice(end, from)}${hash(secret)}`;
    end = Math.max(end, to);
  }
  return shown + text.slice(end);
}

/** Names and passwords in addresses, and what stands behind the name of a secret. */
function secretsIn(text: string): Secret[] {
  // Nothing in it separates a name from a value.
  if (!/[=:]|--?\w/.test(text)) return [];
  const found: Secret[] = [];
  for (const { 0: all, index } of text.matchAll(USERINFO)) {
    const from = index + all.indexOf('://') + 3;
    found.push({ from, to: index + all.length - 1, secret: all });
  }
  let end = 0;
  for (const { 0: name, 1: called = '', index } of text.matchAll(NAME)) {
    const from = index + name.length;
    if (index < end || !SECRET_NAME.test(called)) continue;
    VALUE.lastIndex = from;
    const secret = VALUE.exec(text)?.[0];
    if (secret === undefined || secret.startsWith('[secret')) continue;
    end = from + secret.length;
    found.push({ from, to: end, secret });
  }
  return found;
}
