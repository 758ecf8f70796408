/** The overview of lk: every verb is found in it, and a line of it fits a terminal. */
import { expect, it } from 'vitest';
import { commands } from '../../cli/commands/index.ts';
import { GROUPS, helpOf, overview } from '../../cli/help.ts';

const same = (word: string): string => word;
const paint = { bold: same, dim: same, red: same, green: same, yellow: same };

it('has every verb in one group', () => {
  expect(Object.values(GROUPS).flat().sort()).toEqual(Object.keys(commands).sort());
});

it('fits a terminal of 96 columns', async () => {
  const lines = (await overview(commands, paint)).split('\n');
  expect(lines.filter((line) => line.length > 96)).toEqual([]);
});

it('shows an example of each verb that begins with what it is about', async () => {
  for (const [name, load] of Object.entries(commands)) {
    const command = await load();
    expect(helpOf(name, command, paint)).toContain('Examples\n  ');
    expect(
      command.examples.some((example) => example.includes(`lk ${name}`)),
      name,
    ).toBe(true);
  }
});
