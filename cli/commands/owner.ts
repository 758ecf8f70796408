import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { Server, ServerList } from '../../schemas/server.ts';
import { type Command, option, text } from '../command.ts';
import { table } from '../output.ts';
import { answersTo } from '../releases.ts';

export const owner: Command = {
  summary: 'show who answers for each server, or hand one over',
  words: '[NAME [PERSON]]',
  options: {
    team: option.text('with PERSON: the team that the server belongs to (default: as it is)'),
  },
  examples: ['lk owner', 'lk owner weather', 'lk owner acme.tools/weather carol --team data'],
  arity: [0, 2],
  async run(context, [name, person], values) {
    const api = await context.api();
    const { servers } = await api.call('servers', ServerList);
    const meant = name === undefined ? servers : servers.filter((server) => answersTo(server, name));
    const [one, other] = meant;
    if (name !== undefined && (!one || other)) {
      throw new LockkeeperError('NOT_FOUND', {
        expected: 'the name of one server',
        found: other ? `several: ${meant.map((server) => server.name).join(', ')}` : quote(name),
        next: 'List them with: lk owner',
      });
    }
    const team = text(values, 'team');
    if (one && person !== undefined) {
      const body = { name: one.name, owner: person, ...(team === undefined ? {} : { team }) };
      const server = await api.call('serverOwner', Server, { body });
      return { data: server, text: `${context.paint.bold(server.owner)} answers for ${server.name}.` };
    }
    if (team !== undefined) {
      throw new LockkeeperError('USAGE', {
        expected: 'PERSON beside --team',
        found: `--team ${quote(team)} alone`,
        next: 'Name the owner as well, whoever it is now: lk owner NAME PERSON --team TEAM',
      });
    }
    const rows = meant.map((server) => [
      server.name,
      server.orphaned ? `nobody (${server.owner} left)` : server.owner,
      server.team ?? '-',
      server.package,
    ]);
    const shown = table(['SERVER', 'OWNER', 'TEAM', 'FROM'], rows);
    return { data: { servers: meant }, text: rows.length > 0 ? shown : 'Nothing was published yet.' };
  },
};
