/** Entries of Codex's file as people paste them: TOML is not rewritten here, so that comments and order stay theirs. */
import { stringify } from 'smol-toml';
import type { Change } from './rewrite.ts';

/** Without an end of line; '' for none. Of variables the names alone. Pure. */
export function tomlLines(changes: readonly Change[]): string {
  return changes
    .map(({ entry, words, dropped }) => {
      const kept = Object.keys(entry.env).filter((name) => !dropped.includes(name));
      const lines = stringify({ mcp_servers: { [entry.alias]: { command: 'lk', args: [...words] } } });
      return [lines.trimEnd(), ...(kept.length > 0 ? [`# env as it is, of ${kept.join(', ')}`] : [])].join(
        '\n',
      );
    })
    .join('\n\n');
}
