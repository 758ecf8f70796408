/** docs/clients.md as a program: what it says for a client and a face, filled in for a real project and gateway. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Face } from './client.ts';

const PAGE = join(import.meta.dirname, '../../docs/clients.md');

export interface Place {
  readonly alias: string;
  readonly project: string;
  /** Of the gateway. */
  readonly url: string;
}

/** The line of a shell block, or the whole block of another kind. Throws where the page has none. */
export function lineFor(name: string, face: Face, place: Place): string {
  const [, section] = readFileSync(PAGE, 'utf8').split(new RegExp(`^## ${name}\n`, 'm'));
  const blocks = [...(section?.split(/^## /m)[0] ?? '').matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const parts = blocks.flatMap(([, kind, text = '']) => (kind === 'sh' ? text.trim().split('\n') : [text]));
  const line = parts.find((part) => part.includes('http://') === (face !== 'stdio') && part.includes('docs'));
  if (line === undefined) throw new Error(`docs/clients.md: nothing for ${name} over ${face}`);
  return filled(face === 'all' ? line.replace('/servers/docs/mcp', '/mcp') : line, place);
}

/** A client calls its server `docs`, whatever the lock calls it. */
function filled(line: string, { alias, project, url }: Place): string {
  return line
    .replace(/\brun docs\b/, `run ${alias}`)
    .replace('--arg run --arg docs', `--arg run --arg ${alias}`)
    .replace('"run", "docs"', `"run", "${alias}"`)
    .replace('/servers/docs/', `/servers/${alias}/`)
    .replace('/srv/docs', project)
    .replace('http://127.0.0.1:7413', url);
}
