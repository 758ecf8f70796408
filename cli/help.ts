/** Help texts, made from the commands' own tables so that they cannot tell another story. */
import { type Paint, wrapped } from '../scanner/text.ts';
import { type Command, GLOBAL, type Groups, type Option, type Options } from './command.ts';

export async function overview(groups: Groups, paint: Paint): Promise<string> {
  const lines = [
    `${paint.bold('lk')} keeps MCP servers under lock: reviewed, pinned, isolated, recorded.`,
    '',
    'Usage: lk VERB [words] [--options]',
    '',
  ];
  const width = Math.max(
    ...Object.values(groups)
      .flatMap(Object.keys)
      .map((name) => name.length),
  );
  for (const [title, verbs] of Object.entries(groups)) {
    lines.push(paint.bold(title));
    for (const [name, load] of Object.entries(verbs))
      lines.push(`  ${name.padEnd(width)}  ${(await load()).summary}`);
    lines.push('');
  }
  lines.push(
    'lk VERB --help tells more. Exit codes: 0 ok, 1 broken, 2 usage, 3 refused, 4 could not verify.',
    '',
  );
  return lines.join('\n');
}

/** Columns that a line of the help may take. */
const WIDTH = 96;

export function helpOf(name: string, command: Command, paint: Paint): string {
  const { options } = command;
  const wordOf = ([name, { type }]: [string, Option]): string =>
    `--${name}${type === 'string' ? ' VALUE' : ''}`;
  const width = Math.max(...Object.entries({ ...options, ...GLOBAL }).map((each) => wordOf(each).length));
  const linesOf = (table: Options): string[] =>
    Object.entries(table).flatMap((each) =>
      wrapped(each[1].help, WIDTH - width - 4).map(
        (text, at) => `  ${(at === 0 ? wordOf(each) : '').padEnd(width)}  ${text}`,
      ),
    );
  return [
    command.summary,
    '',
    `Usage: lk ${name} ${command.words}`.trimEnd(),
    '',
    ...(Object.keys(options).length ? [paint.bold('Options'), ...linesOf(options), ''] : []),
    paint.bold('Options of every verb'),
    ...linesOf(GLOBAL),
    '',
    paint.bold('Examples'),
    ...command.examples.map((example) => `  ${example}`),
    '',
  ].join('\n');
}
