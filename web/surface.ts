/** What a model sees of a release, word for word, and what of it changed. */
import type { Surface } from '../schemas/surface.ts';
import { type Child, card, el, fold, shown, soft } from './dom.ts';

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
