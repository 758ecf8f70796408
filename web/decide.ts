/** Approving with one's own key, rejecting, revoking. */
import type { ApprovalView, DiffView } from '../schemas/api.ts';
import type { Alarm } from '../schemas/attention.ts';
import type { Report } from '../schemas/finding.ts';
import type { Release } from '../schemas/release.ts';
import { ask, local, me } from './api.ts';
import { type Child, card, el, field, fold, form, soft, textOf, tick, wordsOf } from './dom.ts';
import { cannotSign } from './signing.ts';

export interface Shown {
  readonly report: Report;
  /** What today's judgement says against it. */
  readonly alarms: readonly Alarm[];
  readonly diff: DiffView;
  readonly done: () => Promise<void>;
}

/** What this person may do with this release now. */
export async function decide(release: Release, shown: Shown): Promise<HTMLElement> {
  const { done } = shown;
  const { roles, person } = await me();
  const parts: Child[] = [];
  const reviewable = release.state === 'in_review' || release.state === 'approved';
  if (reviewable && roles.includes('reviewer')) parts.push(await approving(release, { ...shown, person }));
  if (release.state === 'in_review' && roles.includes('reviewer'))
    parts.push(refusing(release, 'reject', done));
  const mayRevoke = roles.includes('reviewer') || roles.includes('admin');
  const lapsed = release.state === 'in_review' && release.lapsedAt !== null;
  if ((release.state === 'approved' || release.state === 'deprecated' || lapsed) && mayRevoke)
    parts.push(refusing(release, 'revoke', done));
  return parts.length > 0 ? card('Decide', ...parts) : el('div');
}

interface Approving extends Shown {
  readonly person: string;
}

async function approving(release: Release, shown: Approving): Promise<HTMLElement> {
  if (release.requestedBy === shown.person)
    return soft('You asked for this release, so others have to approve it.');
  const unsigned = cannotSign(await local(), `lk approve ${release.id}`);
  if (unsigned) return unsigned;
  return signing(release, shown, await baseOf(release, shown.diff));
}

/** The version that a difference may rest on: the one shown, while its approvals suffice. */
async function baseOf({ formerPackage }: Release, { before }: DiffView): Promise<string | null> {
  if (before === null || formerPackage !== null) return null;
  const { state, reviewBy } = await ask<Release>(`/v1/releases/${before.id}`);
  return state === 'approved' && reviewBy !== null ? before.version : null;
}

function signing(
  release: Release,
  { person, report, alarms, done }: Approving,
  base: string | null,
): HTMLElement {
  const open = [
    ...report.checks.filter(
      ({ id, gates, outcome }) => gates && outcome !== 'ok' && !alarms.some((one) => one.id === id),
    ),
    ...alarms.map(({ after, ...alarm }) => ({ ...alarm, outcome: after })),
  ];
  const fields = [
    open.length > 0
      ? el('p', {}, 'Each of these needs a reason of yours, which goes into what you sign:')
      : null,
    ...open.map((check) =>
      field({
        name: `accept-${check.id}`,
        label: `${check.id} ${check.title}: ${check.outcome}`,
        required: true,
      }),
    ),
    field({ name: 'environments', label: 'Where it may run', value: 'development', required: true }),
    base === null
      ? null
      : tick(
          'delta',
          `I read the changes since ${base}, not the whole release`,
          `What you sign then says that it rests on the approvals of ${base}`,
        ),
    field({ name: 'days', label: 'For how many days', hint: 'Empty: as long as the policy permits' }),
  ];
  const sign = async (values: FormData): Promise<void> => {
    const days = textOf(values, 'days');
    await ask<ApprovalView>(`/local/approvals/${release.id}`, {
      environments: wordsOf(values, 'environments'),
      accepts: Object.fromEntries(open.map(({ id }) => [id, textOf(values, `accept-${id}`)])),
      days: days === '' ? null : Number(days),
      deltaFrom: values.has('delta') ? base : null,
    });
    await done();
  };
  const signed = form(fields, { text: 'Sign the approval' }, sign);
  const mine = release.approvals.some((one) => one.person === person);
  if (release.state !== 'approved' && !mine) return el('div', {}, el('h3', {}, 'Approve'), signed);
  const others = soft('You approved this release. It waits for somebody else.');
  const why = soft(
    'Once an approval is nearly over, its key was replaced, or something stands against the release that you accept.',
  );
  return el(
    'div',
    {},
    release.state === 'approved' ? null : others,
    fold(['Approve it again'], [why, signed]),
  );
}

function refusing(release: Release, verb: 'reject' | 'revoke', done: () => Promise<void>): HTMLElement {
  const title = verb === 'reject' ? 'Reject' : 'Revoke';
  const label = verb === 'reject' ? 'Why it is turned down' : 'Why nobody may run it any more';
  const send = async (values: FormData): Promise<void> => {
    await ask<Release>(`/v1/releases/${release.id}/${verb}`, { reason: textOf(values, 'reason') });
    await done();
  };
  const fields = [field({ name: 'reason', label, required: true })];
  return el('div', {}, el('h3', {}, title), form(fields, { text: title, deny: true }, send));
}
