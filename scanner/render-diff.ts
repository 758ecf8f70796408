/** A difference, and a surface that is new as a whole, as reviewers read them: nothing of it is cut. */
import type { DiffView } from '../schemas/api.ts';
import { type Change, highestRisk, stepOf } from '../schemas/diff.ts';
import type { Measure } from '../schemas/diff-view.ts';
import { SECTIONS, type Surface } from '../schemas/surface.ts';
import { apart } from './excerpt.ts';
import { counted, line, type Paint, sized, WIDTH, wrapped } from './text.ts';

const RANK: readonly Change['risk'][] = ['risk', 'contract', 'text', 'additive', 'cosmetic'];

/** Two releases, wherever they are known from: by their versions alone. */
export type Compared = Omit<DiffView, 'before' | 'after'> & {
  readonly before: { readonly version: string } | null;
  readonly after: { readonly version: string };
};

/** Field by field, gravest first, each with its class and what it was and is. */
export function renderDiff(view: Compared, paint: Paint): string {
  const { before, after, changes, reach, artifacts } = view;
  if (before === null) {
    return `Nothing of this server was approved before ${line(after.version)}: all of it is new.`;
  }
  const top = highestRisk([...changes, ...reach]);
  const packages = `${counted(artifacts.added.length, 'package')} added, ${artifacts.removed.length} removed${
    artifacts.rewritten.length > 0
      ? `; ${artifacts.rewritten.length} of them as OTHER BYTES under the same version`
      : ''
  }`;
  const upTo = top ? `, up to class ${paintRisk(top, paint).trim()}` : '';
  const step = changes.length > 0 ? `; as an API: ${stepOf(changes)}` : '';
  const counts = `${counted(changes.length, 'change')} of the surface, ${reach.length} of what it may touch${upTo}${step}; ${packages}`;
  return [
    `${paint.bold(line(`${before.version} -> ${after.version}`))}: ${counts}`,
    ...(reach.length + changes.length > 0 ? [''] : []),
    ...[...sorted(reach), ...sorted(changes)].flatMap((change) => renderChange(change, paint)),
    ...renderPackages(artifacts, paint),
    ...renderMeasures(view, paint),
  ].join('\n');
}

function sorted(changes: readonly Change[]): Change[] {
  return [...changes].sort((a, b) => RANK.indexOf(a.risk) - RANK.indexOf(b.risk));
}

function renderPackages({ added, removed, rewritten }: DiffView['artifacts'], paint: Paint): string[] {
  const lines = [
    ...added.map((purl) => ({ name: nameOf(purl), text: paint.green(`+ ${nameOf(purl)}`) })),
    ...removed.map((purl) => ({ name: nameOf(purl), text: paint.red(`- ${nameOf(purl)}`) })),
  ];
  if (lines.length === 0) return [];
  const inOrder = lines.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const alarms = rewritten.map((purl) =>
    paint.red(`! ${nameOf(purl)}: other bytes under the same name and version`),
  );
  return ['', paint.bold('Packages'), ...alarms, ...inOrder.map(({ text }) => text)];
}

/** How large it was and is, and which licences came and went; nothing where neither is known. */
function renderMeasures({ measures }: Compared, paint: Paint): string[] {
  if (!measures) return [];
  const { before, after } = measures;
  const told = ({ bytes, unpacked }: Measure): string =>
    `${sized(bytes)}${unpacked === null ? '' : `, ${sized(unpacked.bytes)} in ${counted(unpacked.files, 'file')} unpacked`}`;
  const [was, is] = [before === null ? null : told(before), told(after)];
  const size = was === null ? is : was === is ? `${is}, as before` : `${was} -> ${is}`;
  const old = new Set(before?.licences ?? after.licences);
  const fresh = new Set(after.licences);
  const word = (licence: string | null): string => line(licence ?? 'a licence that could not be read', 100);
  return [
    '',
    `${paint.bold('Size')}      ${size}`,
    ...[...fresh.difference(old)].map((one) => `${paint.bold('Licences')}  ${paint.green(`+ ${word(one)}`)}`),
    ...[...old.difference(fresh)].map((one) => `${paint.bold('Licences')}  ${paint.red(`- ${word(one)}`)}`),
  ];
}

/** `pkg:npm/%40scope/name@1.0.0` as npm writes it. */
function nameOf(purl: string): string {
  return line(purl.replace(/^pkg:(?:npm|pypi)\//, '').replace(/^%40/, '@'));
}

function renderChange(change: Change, paint: Paint): string[] {
  let before = shown(change.before);
  let after = shown(change.after);
  if (before !== null && after !== null) [before, after] = apart(before, after, WIDTH);
  const part = (mark: string, text: string | null): string[] =>
    text === null
      ? []
      : wrapped(text, WIDTH - 4).map((words, index) => `  ${index === 0 ? mark : ' '} ${words}`);
  return [
    `${paintRisk(change.risk, paint)}  ${change.how ?? change.kind}  ${line(change.at)}`,
    ...part('-', before).map((words) => paint.red(words)),
    ...part('+', after).map((words) => paint.green(words)),
  ];
}

function shown(value: unknown): string | null {
  if (value === undefined) return null;
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/\s+/g, ' ');
}

function paintRisk(risk: Change['risk'], paint: Paint): string {
  const word = risk.padEnd(8);
  if (risk === 'risk') return paint.red(word);
  return risk === 'contract' || risk === 'text' ? paint.yellow(word) : paint.dim(word);
}

/** Word for word what a model is told by a server. */
export function renderSurface(surface: Surface, paint: Paint): string {
  const parts: string[] = [];
  if (surface.instructions !== null)
    parts.push(paint.bold('Instructions'), ...indented(surface.instructions), '');
  for (const section of SECTIONS) {
    for (const [key, item] of Object.entries(surface[section])) {
      const { name: _, description, ...rest } = item;
      parts.push(`${paint.bold(line(key))}  ${paint.dim(section.replace(/s$/, ''))}`);
      parts.push(...indented(typeof description === 'string' ? description : '(no description)'));
      for (const [field, value] of Object.entries(rest)) {
        parts.push(
          ...wrapped(`${field}: ${JSON.stringify(value)}`, WIDTH - 4).map((words) =>
            paint.dim(`    ${words}`),
          ),
        );
      }
      parts.push('');
    }
  }
  return parts.join('\n').trimEnd();
}

/** Lines stay lines: a text that hides something far below its beginning is to be seen as it is. */
function indented(text: string): string[] {
  return text.split('\n').flatMap((row) => wrapped(row, WIDTH - 2).map((words) => `  ${words}`));
}
