/** Help texts, made from the commands' own tables so that they cannot tell another story. */

import type { Paint } from '../scanner/text.ts';
import { type Command, GLOBAL, GLOBAL_HELP } from './command.ts';

/** Every verb stands in one of them. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Look at a server': ['scan', 'try'],
  'Run a registry': ['serve', 'login', 'people', 'token', 'keys', 'keys root', 'trust', 'witness'],
  'Publish and review': [
    'publish',
    'review',
    'diff',
    'sbom',
    'approve',
    'reject',
    'revoke',
    'dashboard',
    'owner',
    'advisories',
  ],
  'Use in a project': [
    'add',
    'remove',
    'lock',
    'ci',
    'verify',
    'policy',
    'run',
    'gateway',
    'gateway token',
    'calls',
  ],
  'See what happened': ['ps', 'fleet', 'audit', 'audit verify', 'audit sinks', 'evidence', 'log'],
  'On a machine without a network': ['export', 'import'],
  'Try and check': ['drill', 'doctor'],
};

export async function overview(
  commands: Readonly<Record<string, () => Promise<Command>>>,
  paint: Paint,
): Promise<string> {
  const lines = [
    `${paint.bold('lk')} keeps MCP servers under lock: reviewed, pinned, isolated, recorded.`,
    '',
    'Usage: lk VERB [words] [--options]',
    '',
  ];
  for (const [title, names] of Object.entries(GROUPS)) {
    lines.push(paint.bold(title));
    for (const name of names) {
      const load = commands[name];
      if (load) lines.push(`  ${name.padEnd(13)} ${(await load()).summary}`);
    }
    lines.push('');
  }
  lines.push(
    'lk VERB --help tells more. Exit codes: 0 ok, 1 broken, 2 usage, 3 refused, 4 could not verify.',
    '',
  );
  return lines.join('\n');
}

export function helpOf(name: string, command: Command, paint: Paint): string {
  const wordOf = (table: typeof GLOBAL, option: string): string =>
    `--${option}${table[option]?.type === 'string' ? ' VALUE' : ''}`;
  const words = [
    ...Object.keys(command.optionHelp).map((option) => wordOf(command.options, option)),
    ...Object.keys(GLOBAL_HELP).map((option) => wordOf(GLOBAL, option)),
  ];
  const width = Math.max(...words.map((word) => word.length));
  const options = (table: typeof GLOBAL, help: Readonly<Record<string, string>>): string[] =>
    Object.keys(help).map((option) => `  ${wordOf(table, option).padEnd(width)}  ${help[option] ?? ''}`);
  return [
    command.summary,
    '',
    `Usage: lk ${name} ${command.words}`.trimEnd(),
    '',
    ...(Object.keys(command.optionHelp).length
      ? [paint.bold('Options'), ...options(command.options, command.optionHelp), '']
      : []),
    paint.bold('Options of every verb'),
    ...options(GLOBAL, GLOBAL_HELP),
    '',
    paint.bold('Examples'),
    ...command.examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}
