/** Approving with one's own key, rejecting, revoking. */
import type { ApprovalView } from '../schemas/api.ts';
import type { Report } from '../schemas/finding.ts';
import type { Release } from '../schemas/release.ts';
import { ask, local, me } from './api.ts';
import { type Child, card, el, field, fold, form, soft, textOf, wordsOf } from './dom.ts';

/** What this person may do with this release now. */
export async function decide(
  release: Release,
  report: Report,
  done: () => Promise<void>,
): Promise<HTMLElement> {
  const { roles, person } = await me();
  const parts: Child[] = [];
  const reviewable = release.state === 'in_review' || release.state === 'approved';
  if (reviewable && roles.includes('reviewer'))
    parts.push(await approving(release, { report, person, done }));
  if (release.state === 'in_review' && roles.includes('reviewer'))
    parts.push(refusing(release, 'reject', done));
  const mayRevoke = roles.includes('reviewer') || roles.includes('admin');
  if ((release.state === 'approved' || release.state === 'deprecated') && mayRevoke)
    parts.push(refusing(release, 'revoke', done));
  return parts.length > 0 ? card('Decide', ...parts) : el('div');
}

interface Approving {
  readonly report: Report;
  readonly person: string;
  readonly done: () => Promise<void>;
}

async function approving(release: Release, { report, person, done }: Approving): Promise<HTMLElement> {
  if (release.requestedBy === person)
    return soft('You asked for this release, so others have to approve it.');
  const signer = await local();
  if (signer === null) {
    return el(
      'div',
      {},
      el(
        'p',
        {},
        'An approval is signed with your own key, which this page must never see. On your machine:',
      ),
      el(
        'pre',
        {},
        `lk dashboard    # this page, served by your own installation, with a button to sign\nlk approve ${release.id}`,
      ),
    );
  }
  if (signer.keyid === null) {
    return el(
      'p',
      {},
      'There is no key of yours on this machine. Make one with lk keys new, enrol it with lk keys enrol, then start lk dashboard again.',
    );
  }
  return signing(release, { report, person, done });
}

function signing(release: Release, { report, done }: Approving): HTMLElement {
  const open = report.checks.filter((check) => check.gates && check.outcome !== 'ok');
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
    field({ name: 'days', label: 'For how many days', hint: 'Empty: as long as the policy permits' }),
  ];
  const sign = async (values: FormData): Promise<void> => {
    const days = textOf(values, 'days');
    await ask<ApprovalView>(`/local/approvals/${release.id}`, {
      environments: wordsOf(values, 'environments'),
      accepts: Object.fromEntries(open.map(({ id }) => [id, textOf(values, `accept-${id}`)])),
      days: days === '' ? null : Number(days),
    });
    await done();
  };
  if (release.state !== 'approved')
    return el('div', {}, el('h3', {}, 'Approve'), form(fields, { text: 'Sign the approval' }, sign));
  const why = soft('Once an approval is nearly over, or its key was replaced.');
  return fold(['Approve it again'], [why, form(fields, { text: 'Sign the approval' }, sign)]);
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
