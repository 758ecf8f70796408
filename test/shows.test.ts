/** The commands that try something, as whoever types their words sees them: help, slips of the keyboard, how far they are. */
import { describe, expect, it } from 'vitest';
import { runMatrix } from './attack/command.ts';
import { runTable as runClients } from './clients/command.ts';
import { runTable as runConformance } from './conformance/command.ts';
import { runGate } from './gate/command.ts';
import { asked, counting, type Show, type Streams } from './helpers/show.ts';
import { runIncidents } from './incidents/command.ts';
import { runTable as runIsolation } from './isolation/command.ts';
import { runKills } from './kills/command.ts';

type Run = (words: readonly string[], streams: Streams) => Promise<number>;

/** What a run with these words prints and ends with. Nothing of it tries anything: it would not be over at once. */
async function played(run: Run, ...words: string[]): Promise<{ code: number; out: string; said: string }> {
  const [out, said]: [string[], string[]] = [[], []];
  const code = await run(words, { out: (text) => void out.push(text), say: (line) => void said.push(line) });
  return { code, out: out.join(''), said: said.join('\n') };
}

/** Each with a word that chooses something. */
const shows: readonly (readonly [name: string, run: Run, word: string])[] = [
  ['attack', runMatrix, 'lock'],
  ['clients', runClients, 'codex'],
  ['conformance', runConformance, 'gateway'],
  ['gate', runGate, '7 policy'],
  ['incidents', runIncidents, '1'],
  ['isolation', runIsolation, 'egress'],
];

describe.each(shows)('npm run %s', (name, run, word) => {
  it('tells its words, its options and its names', async () => {
    const { code, out, said } = await played(run, '--help');
    expect([code, said]).toEqual([0, '']);
    expect(out).toContain(`npm run ${name} -- [--json]`);
    expect(out.toLowerCase()).toContain(word);
    expect(out.split('\n').filter((line) => line.length > 140)).toEqual([]);
  });

  it.each([['no-such-name'], ['--jsno'], [word, 'no-such-name'], [word, '--jsno']])(
    'does not run for %s %s',
    async (...words) => {
      const { code, out, said } = await played(run, ...words.filter((one) => one !== undefined));
      expect([code, out]).toEqual([2, '']);
      expect(said).toMatch(new RegExp(`^${name}: nothing of .* begins with "(no-such-name|--jsno)"\\.`));
      expect(said).toContain(`npm run ${name} -- --help`);
    },
  );
});

it('tells the options of kills', async () => {
  expect(await played(runKills, '--help')).toMatchObject({
    code: 0,
    out: expect.stringContaining('--parallel'),
  });
});

describe('the words of a command', () => {
  const show: Show = {
    name: 'x',
    of: 'the rows',
    names: ['lock-old', 'lock-new', 'Root'],
    flags: { '--all': 'all' },
  };
  const silent = { out: () => undefined, say: () => undefined };
  const chosen = (...words: string[]): unknown => {
    const want = asked(words, show, silent);
    return typeof want === 'number' ? want : show.names.filter((name) => want.isWanted(name));
  };

  it('choose what begins with them, and all where there are none', () => {
    expect(chosen()).toEqual(show.names);
    expect(chosen('--json', '--all')).toEqual(show.names);
    expect(chosen('lock')).toEqual(['lock-old', 'lock-new']);
    expect(chosen('root', 'lock-n')).toEqual(['lock-new', 'Root']);
    expect(chosen('lock', 'rot')).toBe(2);
  });

  it('are answered with what was meant', async () => {
    const run: Run = async (words, streams) => asked(words, show, streams) as number;
    expect((await played(run, 'lokc-old')).said).toContain('Did you mean lock-old?');
    expect((await played(run, '--jsn')).said).toContain('Did you mean --json?');
    expect((await played(run, 'zebra')).said).not.toContain('Did you mean');
  });

  it('are followed by how far it is, seldom where there is much', () => {
    const said: string[] = [];
    const tell = counting((line) => void said.push(line), 5, 2);
    for (const line of 'abcde') tell(line);
    expect(said).toEqual(['2 of 5: b', '4 of 5: d', '5 of 5: e']);
  });
});
