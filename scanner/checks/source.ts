/** What JavaScript can reach, read from its text with comments taken out. A light reading: it finds what is written plainly. */
export type Capability = 'network' | 'exec' | 'env' | 'dynamic code' | 'native code';

export interface Use {
  readonly capability: Capability;
  /** Module, variable or host that is used. */
  readonly what: string;
  readonly path: string;
  readonly line: number;
  readonly excerpt: string;
}

const MODULES: Readonly<Record<string, Capability>> = {
  http: 'network',
  https: 'network',
  http2: 'network',
  net: 'network',
  tls: 'network',
  dgram: 'network',
  dns: 'network',
  undici: 'network',
  axios: 'network',
  'node-fetch': 'network',
  got: 'network',
  ws: 'network',
  child_process: 'exec',
  worker_threads: 'exec',
  cluster: 'exec',
  execa: 'exec',
  'cross-spawn': 'exec',
  vm: 'dynamic code',
  module: 'dynamic code',
};
const PATTERNS: readonly (readonly [RegExp, Capability, (match: RegExpExecArray) => string])[] = [
  [
    /(?:\brequire\s*\(\s*|\bfrom\s*|\bimport\s*\(?\s*)['"](?:node:)?([\w@/.-]+)['"]/g,
    'network',
    (match) => match[1] ?? '',
  ],
  [
    /\b(?:fetch|XMLHttpRequest|WebSocket|EventSource)\s*\(/g,
    'network',
    (match) => match[0].replace(/\W+$/, ''),
  ],
  [/['"`]((?:https?|wss?):\/\/[A-Za-z0-9.-]+\.[a-z]{2,}(?::\d+)?)/g, 'network', (match) => match[1] ?? ''],
  [
    /\bprocess\.env\.([A-Za-z_]\w*)|\bprocess\.env\[['"]([^'"]+)['"]\]/g,
    'env',
    (match) => match[1] ?? match[2] ?? '',
  ],
  [/\beval\s*\(|\bnew\s+Function\s*\(/g, 'dynamic code', (match) => match[0].replace(/\W+$/, '')],
];
/** Hosts that code names without calling: schemas and vocabularies. */
const NAMED_ONLY = /^https?:\/\/(?:json-schema\.org|www\.w3\.org|schemas?\.|tools\.ietf\.org)/;
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_USES_PER_FILE = 200;

export function isSource(path: string, size: number): boolean {
  return /\.(?:js|cjs|mjs)$/.test(path) && size <= MAX_FILE_BYTES;
}

export function usesIn(path: string, code: string): Use[] {
  const plain = withoutComments(code);
  const uses: Use[] = [];
  for (const [pattern, capability, nameOf] of PATTERNS) {
    for (const match of plain.matchAll(pattern)) {
      const what = nameOf(match as RegExpExecArray);
      const kind = pattern === PATTERNS[0]?.[0] ? MODULES[what] : capability;
      if (kind === undefined || NAMED_ONLY.test(what)) continue;
      if (uses.length >= MAX_USES_PER_FILE) return uses;
      const before = plain.slice(0, match.index);
      uses.push({
        capability: kind,
        what,
        path,
        line: before.split('\n').length,
        excerpt: plain.slice(match.index, match.index + 120).split('\n')[0] ?? '',
      });
    }
  }
  return uses;
}

/** Comments become spaces, line for line; strings, templates and regular expressions are stepped over. */
export function withoutComments(code: string): string {
  let out = '';
  let last = '';
  for (let i = 0; i < code.length; ) {
    const c = code.charAt(i);
    const two = code.slice(i, i + 2);
    let end = i + 1;
    if (two === '//') end = indexOr(code, '\n', i);
    else if (two === '/*') end = indexOr(code, '*/', i + 2) + 2;
    else if (c === '"' || c === "'" || c === '`') end = stringEnd(code, i, c);
    else if (c === '/' && /[(,=:[!&|?{};\n]|^$/.test(last)) end = regexEnd(code, i);
    const piece = code.slice(i, end);
    const comment = two === '//' || two === '/*';
    out += comment ? piece.replace(/[^\n]/g, ' ') : piece;
    if (!comment && piece.trim() !== '') last = piece.slice(-1);
    i = Math.max(end, i + 1);
  }
  return out;
}

function indexOr(code: string, text: string, from: number): number {
  const at = code.indexOf(text, from);
  return at === -1 ? code.length : at;
}

function stringEnd(code: string, start: number, quote: string): number {
  for (let i = start + 1; i < code.length; i++) {
    const c = code.charAt(i);
    if (c === '\\') i++;
    else if (c === quote || (c === '\n' && quote !== '`')) return i + 1;
  }
  return code.length;
}

function regexEnd(code: string, start: number): number {
  let inClass = false;
  for (let i = start + 1; i < code.length; i++) {
    const c = code.charAt(i);
    if (c === '\\') i++;
    else if (c === '\n') return start + 1;
    else if (c === '[') inClass = true;
    else if (c === ']') inClass = false;
    else if (c === '/' && !inClass) return i + 1;
  }
  return start + 1;
}
