/** Trust files as root.json pins them, and what their repository has by now. Approved by the root holders, never here. */
import type { TrustFilesView, TrustFileView } from '../schemas/trust-files.ts';
import { type Child, card, day, el, short, soft, table, tag } from './dom.ts';

const STATES: Readonly<Record<TrustFileView['state'], readonly [string, string]>> = {
  used: ['approved', 'in use'],
  changed: ['in_review', 'another one waits'],
  new: ['in_review', 'waits'],
  kept: ['unknown', 'in use, not compared'],
};

export function trustFiles(view: TrustFilesView): HTMLElement {
  return card(
    'Trust files',
    asked(view),
    view.problem === null
      ? null
      : el('p', { role: 'alert' }, tag('fired', 'not read'), ` ${view.problem.message}`),
    view.files.length === 0
      ? soft('root.json pins none, so that no signature of a package is verified. See docs/provenance.md.')
      : table(['File', 'State', 'In use', 'In the repository'], view.files.map(rowOf)),
    ...view.files.filter(({ state }) => state === 'changed' || state === 'new').map(changesOf),
  );
}

function asked({ repository, readAt }: TrustFilesView): HTMLElement {
  if (repository === null)
    return soft('No repository is set (LOCKKEEPER_TUF): nobody is asked whether there are newer ones.');
  return soft(`From ${repository}, ${readAt === null ? 'never read yet' : `read ${day(readAt)} UTC`}.`);
}

function rowOf({ name, state, pinned, offered }: TrustFileView): Child[] {
  const [word, text] = STATES[state];
  return [
    name,
    tag(word, text),
    pinned === null ? '-' : el('code', {}, short(pinned.digest)),
    offered === null
      ? '-'
      : el('span', {}, el('code', {}, short(offered.digest)), ` since ${day(offered.since)}`),
  ];
}

function changesOf({ name, pinned, offered, changes }: TrustFileView): HTMLElement {
  const against =
    pinned === null
      ? 'It is pinned for the first time; it holds:'
      : pinned.bytes === null
        ? 'The file in use is not in this registry; the other one holds:'
        : 'What it would change:';
  return el(
    'div',
    {},
    el('h3', {}, name),
    el('p', {}, against),
    el('pre', {}, changes.join('\n')),
    el(
      'p',
      {},
      'Nothing of it is used before the root holders pin it: ',
      el('code', {}, `lk keys root set FILE --trust-root ${name}=${offered?.digest ?? ''}`),
    ),
  );
}
