/** What runs where, as runtimes report it. What was revoked and runs still stands first. */
import type { FleetItem, FleetView } from '../schemas/fleet.ts';
import { ask } from './api.ts';
import { type Child, card, day, el, field, form, nameOf, short, soft, table, tag, textOf } from './dom.ts';

const HEAD = ['Server', 'State', 'Since (UTC)', 'Host', 'Lock', 'User', 'Last seen (UTC)'];
const STATES = ['COLD', 'STARTING', 'READY', 'DEGRADED', 'DEAD', 'DRAINING', 'QUARANTINED', 'unknown'];
const FILTERS = [
  ['server', 'Server'],
  ['state', 'State', STATES],
] as const;

export async function fleet(): Promise<HTMLElement> {
  const list = el('div');
  const show = async (values: FormData | null): Promise<void> => {
    const query = new URLSearchParams();
    for (const [name] of FILTERS) {
      const wanted = values === null ? '' : textOf(values, name);
      if (wanted !== '') query.set(name, wanted);
    }
    const { instances, more, unlisted } = await ask<FleetView>(`/v1/fleet?${query}`);
    list.replaceChildren(
      ...listed(instances),
      more ? soft('There are more; narrow the search.') : '',
      unlisted > 0 ? soft(`Runtimes keep ${unlisted} more that they do not list.`) : '',
    );
  };
  await show(null);
  const fields = FILTERS.map(([name, label, words]) => field({ name, label, ...(words ? { words } : {}) }));
  return el(
    'div',
    {},
    el('h1', {}, 'What runs where'),
    card('', el('div', { class: 'filters' }, form(fields, { text: 'Search' }, show))),
    card('', list),
  );
}

/** Bytes that nobody may run, or that this registry never saw. */
function isForbidden({ release }: FleetItem): boolean {
  return release === 'revoked' || release === null;
}

function listed(instances: readonly FleetItem[]): HTMLElement[] {
  if (instances.length === 0) return [soft('Nothing fits. Runtimes report what they keep every 15 seconds.')];
  const bad = instances.filter(isForbidden);
  const word = bad.length === 1 ? '1 instance runs' : `${bad.length} instances run`;
  const sorted = [...bad, ...instances.filter((one) => !isForbidden(one))];
  return [
    ...(bad.length > 0
      ? [el('p', { role: 'alert' }, `${word} what was revoked, or what this registry does not know.`)]
      : []),
    table(HEAD, sorted.map(rowOf)),
  ];
}

function rowOf(one: FleetItem): Child[] {
  const release = one.release === null ? tag('rejected', 'not known') : tag(one.release);
  return [
    el('div', {}, nameOf(one.server), ` ${one.version} `, isForbidden(one) ? release : null),
    tag(one.state === 'READY' ? 'ok' : one.state === 'unknown' ? 'unknown' : 'in_review', one.state),
    el('time', { datetime: one.since, title: one.since }, day(one.since)),
    el('div', {}, one.host, el('div', { class: 'soft' }, `${one.driver}, ${one.runtime}`)),
    el('div', {}, `${one.project}#${one.lockVersion} `, el('code', {}, short(one.lock))),
    one.user,
    el('time', { datetime: one.lastSeen, title: one.lastSeen }, day(one.lastSeen)),
  ];
}
