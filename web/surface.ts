/** What a model sees of a release, word for word, and what of it changed. */
import type { DiffView } from '../schemas/api.ts';
import type { Surface } from '../schemas/surface.ts';
import { type Child, card, el, fold, shown, soft, table, tag } from './dom.ts';
import { measured } from './materials.ts';

/** One change: where, what was and what is. */
export function changed(at: string, before: string | undefined, after: string | undefined): HTMLElement {
  return el(
    'pre',
    {},
    at === '' ? null : `${at}\n`,
    before === undefined ? null : el('span', { class: 'before' }, `- ${before}\n`),
    after === undefined ? null : el('span', { class: 'after' }, `+ ${after}`),
  );
}

const RISKS = ['risk', 'contract', 'text', 'additive', 'cosmetic'];

export function changes(diff: DiffView): HTMLElement {
  if (diff.before === null)
    return card('Changes', soft('No release of this server was approved before: all of it is new.'));
  const sorted = [...diff.reach, ...diff.changes].sort(
    (a, b) => RISKS.indexOf(a.risk) - RISKS.indexOf(b.risk),
  );
  const rows = sorted.map((change): Child[] => [
    tag(change.risk),
    el('span', {}, el('code', {}, change.at), ` ${change.how ?? change.kind}`),
    changed(
      '',
      change.before === undefined ? undefined : shown(change.before),
      change.after === undefined ? undefined : shown(change.after),
    ),
  ]);
  const { added, removed, rewritten } = diff.artifacts;
  return card(
    `Changes since ${diff.before.version}${diff.step === undefined || diff.step === 'none' ? '' : `: as an API, ${diff.step}`}`,
    ...rewritten.map((purl) =>
      el('p', {}, tag('fired', 'other bytes'), ' ', el('code', {}, purl), ' under the same name and version'),
    ),
    rows.length > 0 ? table(['Risk', 'Where', 'Change'], rows) : soft('The surface is the same.'),
    fold(
      [`Packages: ${added.length} added, ${removed.length} removed`],
      [
        el(
          'pre',
          {},
          ...added.map((purl) => el('span', { class: 'after' }, `+ ${purl}\n`)),
          ...removed.map((purl) => el('span', { class: 'before' }, `- ${purl}\n`)),
        ),
      ],
    ),
    diff.measures ? fold(['Size and licences'], [el('pre', {}, ...measured(diff.measures))]) : null,
  );
}

/** Word for word what a model is told. */
export function sees(surface: Surface): HTMLElement {
  const items = (title: string, list: Readonly<Record<string, object>>): Child[] =>
    Object.entries(list).map(([name, item]) => {
      const { description, ...rest } = item as { description?: unknown };
      return fold(
        [el('code', {}, name), ` ${title}`],
        [
          el('p', { class: 'words' }, description === undefined ? '(no description)' : shown(description)),
          el('pre', {}, shown(rest)),
        ],
      );
    });
  const all = [
    ...items('tool', surface.tools),
    ...items('prompt', surface.prompts),
    ...items('resource', surface.resources),
    ...items('template', surface.resourceTemplates),
  ];
  return card(
    'What a model sees',
    surface.instructions === null
      ? null
      : fold(['Instructions'], [el('p', { class: 'words' }, surface.instructions)]),
    ...(all.length > 0 ? all : [soft('Nothing: no tools, prompts or resources.')]),
  );
}
