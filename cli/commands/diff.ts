import { renderDiff } from '../../scanner/render.ts';
import { DiffView } from '../../schemas/api.ts';
import type { Command } from '../command.ts';
import { findRelease } from '../releases.ts';

export const diff: Command = {
  summary: 'show what a release changes against the last approved one',
  words: 'NAME[@VERSION] | ID',
  options: {},
  optionHelp: {},
  examples: ['lk diff filesystem@2025.11.25', 'lk diff 4 --json'],
  arity: [1, 1],
  async run(context, [spec = '']) {
    const api = await context.api();
    const release = await findRelease(api, spec);
    const view = await api.call('diff', DiffView, { parameters: { id: release.id } });
    return { data: view, text: renderDiff(view, context.paint) };
  },
};
