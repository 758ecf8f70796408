/** Hosts inside of arguments: `unknown` wherever two readers of addresses could see two hosts. */
import { type Leaf, lastName } from './leaves.ts';
import type { Truth } from './predicate.ts';

const NAME = /host|ur[il]|domain|endpoint|site|address|server|link|href|webhook|origin/i;
/** An address, also where a reader first puts it right: spaces before it, slashes that lean or are missing. */
const VALUE =
  /^[\s\u0000-\u001f]*(?:[a-z][a-z0-9+.-]*:\/\/|(?:https?|wss?|ftp):\S|file:[/\\]{2}|[/\\]{2}[^/\\])/i;
/** `git@example.com:acme/site`, as programs of the shell name another machine. */
const REMOTE = /^[\w.+-]+@[\w.-]+:\S+$/;
/** A file of the machine itself. */
const LOCAL = /^file:(?:\/\/(?:localhost)?\/|\/(?![/\\])|[^/\\]|$)/i;
/** Schemes whose hosts the URL standard brings into one form. */
const SPECIAL = new Set(['http:', 'https:', 'ws:', 'wss:', 'ftp:']);
const LABELS = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

export function looksLikeHost(leaf: Leaf): boolean {
  const { value } = leaf;
  if (typeof value !== 'string') return false;
  // Tabs and line ends are taken out by whoever reads it as an address.
  const text = value.replace(/[\t\r\n]/g, '');
  if (LOCAL.test(text)) return false;
  // Among names of members, those alone that can be a host.
  const named = NAME.test(lastName(leaf)) && (!leaf.isName || /[.:]/.test(text));
  return named || VALUE.test(text) || REMOTE.test(text);
}

/** Letters whose punycode is another in IDNA 2003 than in IDNA 2008. */
const TWO_FORMS = /[\u00df\u1e9e\u03c2\u200c\u200d]/;

/** What a policy may name: small letters, punycode for others, `*.` for what is below. */
export function isHostPattern(text: string): boolean {
  return text.length <= 253 && LABELS.test(text);
}

export function hostTruth(value: string, patterns: readonly string[]): Truth {
  const host = hostOf(value);
  if (host === null) return 'unknown';
  const fits = patterns.some((pattern) =>
    pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern,
  );
  return fits ? 'yes' : 'no';
}

/** The one host of an address or of `host`, `host:port`, `host/path`; null where it is not certain. */
function hostOf(value: string): string | null {
  // Spaces, backslashes and control characters are read differently, or taken away, by different readers.
  if (value.length > 4096 || /[\s\\\u0000-\u001f\u007f]/.test(value)) return null;
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(value);
  // `https:/example.com` is an address to one reader and a port that is none to another.
  if (!withScheme && !/^(?:\/\/)?[^:/?#]+(?::\d{1,5})?(?:[/?#]|$)/.test(value)) return null;
  const text = withScheme ? value : value.startsWith('//') ? `https:${value}` : `https://${value}`;
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
  // A name and password before the host is how one host is dressed as another.
  if (authority === '' || /[@%]/.test(authority)) return null;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  const host = url.hostname.replace(/\.$/, '').toLowerCase();
  const written = authority.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
  const ascii = !/[^\x21-\x7e]/.test(authority);
  // 0x7f.1 is 127.0.0.1 to one reader and a name to another.
  if (ascii && host !== written) return null;
  if (!ascii && (!SPECIAL.has(url.protocol) || TWO_FORMS.test(authority))) return null;
  // `evil.test,a.example` is one name to some, and two to whoever takes a list of them.
  const isOne = host.startsWith('[') || (isHostPattern(host) && !host.startsWith('*'));
  return isOne ? host : null;
}
