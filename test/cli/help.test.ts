/** The overview of lk: every verb is found in it, and a line of it fits a terminal. */
import { expect, it, vi } from 'vitest';
import { parseWords } from '../../cli/command.ts';
import { commands, groups } from '../../cli/commands/index.ts';
import { helpOf, overview } from '../../cli/help.ts';
import { lk } from '../../cli/lk.ts';
import { nearest } from '../../schemas/slip.ts';

const same = (word: string): string => word;
const paint = { bold: same, dim: same, red: same, green: same, yellow: same };

it('has every verb in one group', () => {
  expect(Object.values(groups).flatMap(Object.keys).sort()).toEqual(Object.keys(commands).sort());
});

it('fits a terminal of 96 columns', async () => {
  const lines = (await overview(groups, paint)).split('\n');
  expect(lines.filter((line) => line.length > 96)).toEqual([]);
});

it('shows an example of each verb that begins with what it is about', async () => {
  for (const [name, load] of Object.entries(commands)) {
    const command = await load();
    const help = helpOf(name, command, paint);
    expect(help).toContain('Examples\n  ');
    const [options = ''] = help.split('Examples\n').slice(0, 1);
    expect(options.split('\n').filter((line) => line.startsWith('  ') && line.length > 96)).toEqual([]);
    expect(
      command.examples.some((example) => example.includes(`lk ${name}`)),
      name,
    ).toBe(true);
  }
});

it.each([
  ['aprove', 'approve'],
  ['lokc', 'lock'],
  ['verfy', 'verify'],
  ['Ci', 'ci'],
  ['policies', 'policy'],
  ['dash', 'dashboard'],
  ['gateways', 'gateway'],
  ['a', undefined],
  ['', undefined],
  ['zebra', undefined],
  [`${'a'.repeat(100_000)}`, undefined],
])('knows which verb was meant by %.12s', (word, verb) => {
  expect(nearest(word, Object.keys(commands))).toBe(verb);
});

it.each([
  [['review', '--state', 'aproved'], 'found "aproved". Did you mean approved? Correct it. [USAGE]\n'],
  [['fleet', '--state', 'zz'], 'QUARANTINED, unknown; found "zz". Correct it. [USAGE]\n'],
  [['reject', '7', '--reason', 'no'], 'in at least three characters; found "no". Say it and'],
  [['aprove'], 'found "aprove". Did you mean lk approve? All verbs: lk --help. [USAGE]\n'],
  [['help', 'aprove'], 'Did you mean lk approve? All verbs: lk --help. [USAGE]\n'],
  [['audit', 'verfy'], 'found verfy. Did you mean lk audit verify? See: lk audit --help. [USAGE]\n'],
  [['audit', 'zebra'], 'found zebra. See: lk audit --help. [USAGE]\n'],
  [['zebra'], 'found "zebra". See: lk --help. [USAGE]\n'],
])('refuses %j with the verb that was meant, in one line', async (words, end) => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    expect(await lk(words, { HOME: '/nonexistent' })).toBe(2);
    expect(write.mock.calls).toEqual([[expect.stringContaining(end)]]);
    expect(write.mock.calls[0]?.[0]).not.toContain('serve, login');
  } finally {
    write.mockRestore();
  }
});

it('refuses an option that no verb has with the one that was meant', async () => {
  const ci = await commands.ci?.();
  if (ci === undefined) throw new Error('no verb ci');
  expect(() => parseWords('ci', ci, ['--agianst', 'main'])).toThrow(
    'Did you mean --against? See: lk ci --help.',
  );
  expect(() => parseWords('ci', ci, ['--zebra'])).toThrow("Unknown option '--zebra'. See: lk ci --help.");
});
