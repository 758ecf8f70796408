/** What is left after a kill: processes, the server's own log, and what of the journal no loss of power can take. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { AuditRecord } from '../../schemas/audit.ts';

/** Processes whose command line holds this word: the sandboxes and all below them. */
export function marked(word: string): { pid: number; words: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), words: wordsOf(name) }))
    .filter(({ words }) => words.includes(word));
}

function wordsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Every message that a server of this home wrote down. */
export function reached(home: string): Set<string> {
  const logs = globSync('mount-*/calls', { cwd: home }).map((name) => readFileSync(join(home, name), 'utf8'));
  return new Set(logs.flatMap((log) => log.split('\n').slice(0, -1)));
}

/** Every message of a call whose record a finished sync covered. */
export function durablyRecorded(home: string): Set<string> {
  const found = new Set<string>();
  for (const [path, bytes] of synced(home)) {
    const text = readFileSync(path).subarray(0, bytes).toString('utf8');
    for (const line of text.split('\n').slice(0, -1)) {
      const { body } = JSON.parse(line) as AuditRecord;
      const message = (body.arguments as { message?: string } | undefined)?.message;
      if (body.kind === 'request.forwarded' && message !== undefined) found.add(message);
    }
  }
  return found;
}

function synced(home: string): Map<string, number> {
  const sizes = new Map<string, number>();
  const log = join(home, 'synced');
  if (!existsSync(log)) return sizes;
  for (const line of readFileSync(log, 'utf8').split('\n').slice(0, -1)) {
    const [, size = '', path = ''] = /^(\d+) (.+)$/.exec(line) ?? [];
    if (/^\d{6}\.ndjson$/.test(basename(path))) sizes.set(path, Math.max(sizes.get(path) ?? 0, Number(size)));
  }
  return sizes;
}
