/** The verdict on evidence, for people and as JSON from the same value. */
import { CODES } from '../../schemas/errors.ts';
import type { Context, Result } from '../command.ts';
import { plain, table } from '../output.ts';
import type { Step } from './steps.ts';
import { listed, type Verdict } from './verify.ts';

/** Exit 0: all steps hold. 3: refused. 4: it could not be verified. */
export function renderVerdict(context: Context, verdict: Verdict, path: string): Result {
  const { error, steps, file, decisions, used, counts, signedBy } = verdict;
  const exit =
    error === null ? 0 : error.exit === 3 || error.exit === 1 ? error.exit : CODES.ROOT_UNPINNED.exit;
  const conclusion = error === null ? 'ok' : exit === 3 ? 'refused' : 'unverified';
  const sentence = error?.message ?? summary(verdict);
  const data = {
    conclusion,
    code: error?.code ?? null,
    sentence,
    path,
    registry: file?.registry ?? null,
    from: file?.head.from ?? null,
    to: file?.head.to ?? null,
    exportedAt: file?.exportedAt ?? null,
    exportedBy: file?.exportedBy ?? null,
    signedBy,
    steps,
    counts,
    decisions,
    used: [...used].map(([release, use]) => ({ release, ...use, approvedBy: [...use.approvedBy] })),
  };
  const { paint } = context;
  const head = {
    ok: paint.green('ok'),
    refused: paint.red('refused'),
    unverified: paint.yellow('could not verify'),
  }[conclusion];
  const lines = [
    ...steps.map(
      (step) =>
        `${String(step.step).padStart(2)} ${markOf(step, paint)} ${step.checks}\n     ${plain(step.found)}`,
    ),
    ...(error === null && used.size > 0 ? ['', usedTable(verdict)] : []),
    '',
    `${head}: ${plain(sentence)}${error ? ` [${error.code}]` : ''}`,
  ];
  return { data, text: lines.join('\n'), exit };
}

function markOf({ ok }: Step, paint: Context['paint']): string {
  if (ok === null) return paint.dim('-     ');
  return ok ? paint.green('ok    ') : paint.red('failed');
}

function summary({ file, decisions, counts, used }: Verdict): string {
  const calls = [...used.values()].reduce((sum, use) => sum + use.calls, 0);
  const what = listed(
    [decisions?.approvals.length ?? 0, 'approval'],
    [decisions?.calls.length ?? 0, 'call approval'],
    [decisions?.rejections.length ?? 0, 'rejection'],
    [decisions?.revocations.length ?? 0, 'revocation'],
    [decisions?.locks.length ?? 0, 'lock'],
    [counts.inPeriod, 'record'],
    [calls, 'tool call'],
  );
  return `from ${file?.head.from} to ${file?.head.to} at ${file?.registry}: ${what}. Nothing that was logged is missing or changed.`;
}

function usedTable({ used }: Verdict): string {
  const rows = [...used].map(([release, { sessions, calls, refused, approvedBy }]) => [
    release,
    `${sessions}`,
    `${calls}`,
    `${refused}`,
    [...approvedBy].join(', '),
  ]);
  return table(['RELEASE', 'SESSIONS', 'TOOL CALLS', 'REFUSED', 'APPROVED BY'], rows);
}
