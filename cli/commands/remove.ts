import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { aliasOf, type Intent } from '../../schemas/intent.ts';
import type { Command } from '../command.ts';
import { projectOf, readIntent, writeIntent } from '../project.ts';

export const remove: Command = {
  summary: 'ask for a server in lockkeeper.json no longer',
  words: 'ALIAS',
  options: {},
  examples: ['lk remove filesystem', 'lk remove npm.modelcontextprotocol/server-filesystem'],
  arity: [1, 1],
  async run(context, [word = ''], values) {
    const project = projectOf(context, values);
    const intent = await readIntent(project);
    const alias = aliasIn(intent, word);
    const { [alias]: gone, ...servers } = intent.servers;
    await writeIntent(project, { ...intent, servers });
    return {
      data: { alias, request: gone },
      text: `${project.intentPath} asks for ${alias} (${gone?.server}) no longer.\nNext: lk lock; until then mcp.lock still has it.`,
    };
  },
};

/** By what the project calls it, or by its whole name where one alias alone has it. Throws NOT_FOUND. Pure. */
export function aliasIn({ servers }: Pick<Intent, 'servers'>, word: string): string {
  if (Object.hasOwn(servers, word)) return word;
  const named = Object.keys(servers).filter((alias) =>
    [servers[alias]?.server, aliasOf(servers[alias]?.server ?? '')].includes(word),
  );
  const [alias, other] = named;
  if (alias !== undefined && other === undefined) return alias;
  throw new LockkeeperError('NOT_FOUND', {
    expected: `one of ${Object.keys(servers).join(', ') || 'the servers of lockkeeper.json, which asks for none'}`,
    found: other === undefined ? quote(word) : `${quote(word)}, which is ${named.join(' and ')}`,
    next: 'Name it as the project calls it',
  });
}
