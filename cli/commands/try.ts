import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CODES } from '../../schemas/errors.ts';
import { type Command, flag, option, type Result } from '../command.ts';
import { type Company, foundCompany } from '../drill/company.ts';
import { play, told, wantedCall } from '../drill/try.ts';
import { ticking } from '../output.ts';
import { tidied } from '../tidied.ts';

export const trying: Command = {
  summary: 'take a server from its source to a recorded call, on a private copy',
  words: 'npm:NAME[@VERSION] | pypi:NAME[@VERSION]',
  options: {
    call: option.text('tool to call (default: none, its tools are listed)'),
    arguments: option.text('of that call, as a JSON object (default: {})'),
    arg: option.list('argument the server is started with; repeat'),
    mount: option.list('folder that it finds inside the sandbox, empty: /data:ro or /data:rw; repeat'),
    egress: option.list('host:port it may reach; repeat (default: none)'),
    keep: option.flag('leave the folder with registry, lock and journal for looking around'),
  },
  examples: [
    'lk try npm:@modelcontextprotocol/server-memory --call read_graph',
    'lk try pypi:mcp-server-time --arg=--local-timezone=UTC',
    'lk try npm:@modelcontextprotocol/server-filesystem --arg /data --mount /data:rw --call list_allowed_directories',
  ],
  arity: [1, 1],
  async run(context, [source = ''], values) {
    const call = wantedCall(values);
    const { environment } = context.config;
    const { storeDir } = context.home;
    const dir = await mkdtemp(join(tmpdir(), 'lk-try-'));
    // The user that servers run as has to reach what lies in it.
    await chmod(dir, 0o755);
    let founding: Promise<Company> | undefined;
    const { tell, end } = ticking(context.progress);
    tell('starting a registry');
    const work = async (): Promise<Result> => {
      founding = foundCompany({ dir, environment, storeDir, trial: true, watches: false });
      const tried = await play(await founding, { source, values, call, tell });
      const text = told(tried, context.paint);
      return { data: tried, text, exit: tried.refused ? CODES.TOOL_REFUSED.exit : 0 };
    };
    return tidied(work, async () => {
      end();
      await founding?.then((company) => company.close()).catch(() => undefined);
      if (flag(values, 'keep')) context.say(`Left in ${dir}`);
      else await rm(dir, { recursive: true, force: true, maxRetries: 10 });
    });
  },
};
