import { renderDiff, renderSurface } from '../../scanner/render/diff.ts';
import { DiffView } from '../../schemas/api.ts';
import type { Release } from '../../schemas/release.ts';
import { Surface } from '../../schemas/surface.ts';
import type { Api } from '../api.ts';
import { type Command, option, text } from '../command.ts';
import { findRelease, listReleases } from '../releases.ts';

export const diff: Command = {
  summary: 'show what a release changes since the last approved one',
  words: 'NAME[@VERSION] | ID',
  options: {
    from: option.text(
      'compare with this version instead of the one that was approved last when it was scanned',
    ),
  },
  examples: ['lk diff filesystem@2025.11.25', 'lk diff 4 --from 2025.8.21', 'lk diff 4 --json'],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    const api = await context.api();
    const release = await findRelease(api, spec);
    const view = await api.call('diff', DiffView, {
      parameters: { id: release.id },
      query: { from: text(values, 'from') },
    });
    const shown = renderDiff(view, context.paint);
    if (view.before !== null) return { data: view, text: shown };
    const since = await approvedSince(api, release);
    const surface = await api.call('surface', Surface, { parameters: { id: release.id } });
    return {
      data: { ...view, surface },
      text: `${shown}${since}\n\n${renderSurface(surface, context.paint)}`,
    };
  },
};

/** A release may have been scanned before the one that it is worth comparing with was approved. */
async function approvedSince(api: Api, { id, name }: Release): Promise<string> {
  const approved = await listReleases(api, { name, state: 'approved' });
  const other = approved.find((one) => one.id !== id);
  return other ? `\n${other.version} was approved since: lk diff ${id} --from ${other.version}` : '';
}
