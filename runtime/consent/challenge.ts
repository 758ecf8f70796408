/** What a server that turns a request down asks for (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1). */

export interface Challenge {
  readonly scopes: readonly string[];
  /** Where it says which authorization servers it believes; null where it leaves that to the usual places. */
  readonly metadata: string | null;
}

/** A list of scopes as OAuth writes them. */
const SCOPES = /^[!#-[\]-~]+(?: [!#-[\]-~]+)*$/;
const MAX_SCOPES = 50;
const MAX_SCOPE_TEXT = 1000;
const PART =
  /[ \t,]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))|([!#$%&'*+.^_`|~0-9A-Za-z/-]+=*)|$)/y;

/** The one Bearer challenge of a `WWW-Authenticate`; null where there is none, or one that could be read in two ways. */
export function challengeIn(header: string | undefined): Challenge | null {
  const said = bearerOf(header ?? '');
  if (said === null) return null;
  const scopes = scopesIn(said.get('scope') ?? '');
  const metadata = said.get('resource_metadata') ?? null;
  return scopes && (metadata === null || metadata.length <= 2000) ? { scopes, metadata } : null;
}

/** The scopes of a text, each once; null for what is no such list. The empty text is none. */
export function scopesIn(text: string): string[] | null {
  if (text === '') return [];
  if (text.length > MAX_SCOPE_TEXT || !SCOPES.test(text)) return null;
  const scopes = [...new Set(text.split(' '))];
  return scopes.length > MAX_SCOPES ? null : scopes;
}

function bearerOf(header: string): Map<string, string> | null {
  const found: Map<string, string>[] = [];
  let at: Map<string, string> | null = null;
  PART.lastIndex = 0;
  while (PART.lastIndex < header.length) {
    const part = PART.exec(header);
    if (!part) return null;
    const [, name, quoted, plain, word] = part;
    if (name !== undefined) {
      const key = name.toLowerCase();
      if (at?.has(key)) return null;
      at?.set(key, quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1'));
    } else if (word !== undefined) {
      at = new Map();
      if (word.toLowerCase() === 'bearer') found.push(at);
    }
  }
  return found.length === 1 ? (found[0] ?? null) : null;
}
