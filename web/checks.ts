/** What the checks of a scan say, the gravest first. */
import type { CheckResult, Evidence, Finding, Report } from '../schemas/finding.ts';
import { card, el, fold, soft, table, tag } from './dom.ts';
import { changed } from './surface.ts';

const SHOWN_FINDINGS = 20;
const SHOWN_EVIDENCE = 5;
/** Letters of a finding in a list. */
const SHOWN_LETTERS = 110;
const GRAVEST_FIRST = ['critical', 'high', 'medium', 'low', 'info'] as const;

export function checks(report: Report): HTMLElement {
  const of = (outcome: CheckResult['outcome']): CheckResult[] =>
    report.checks.filter((check) => check.outcome === outcome);
  const [unknown, quiet] = [of('unknown'), of('ok')];
  const fired = of('fired').sort((a, b) => top(a) - top(b) || Number(b.gates) - Number(a.gates));
  const loud = [...fired, ...unknown.filter(({ gates }) => gates)];
  return card(
    'Checks',
    ...loud.map((check) =>
      fold(
        [
          tag(check.outcome),
          ' ',
          el('code', {}, check.id),
          ` ${check.title}`,
          check.gates ? el('small', {}, ' needs a reason to approve') : null,
        ],
        [outcome(check)],
        true,
      ),
    ),
    notKnown(unknown.filter(({ gates }) => !gates)),
    fold(
      [`${quiet.length} checks are ok`],
      [
        table(
          ['Check', 'What', 'Outcome'],
          quiet.map((check) => [el('code', {}, check.id), check.title, outcome(check)]),
        ),
      ],
    ),
  );
}

function rank({ severity }: Finding): number {
  return GRAVEST_FIRST.indexOf(severity);
}

function findingsOf(check: CheckResult): Finding[] {
  return check.outcome === 'fired' ? [...check.findings].sort((a, b) => rank(a) - rank(b)) : [];
}

function top(check: CheckResult): number {
  const [first] = findingsOf(check);
  return first ? rank(first) : GRAVEST_FIRST.length;
}

/** Null where nothing fired. */
export function gravest({ checks }: Report): Finding | null {
  return checks.flatMap(findingsOf).sort((a, b) => rank(a) - rank(b))[0] ?? null;
}

/** A report in a cell of a list: the gravest finding, how many checks are not ok, and what a reviewer has to answer for. */
export function inShort(report: Report): HTMLElement {
  const { checks } = report;
  const count = (outcome: CheckResult['outcome']): number =>
    checks.filter((check) => check.outcome === outcome).length;
  const worst = gravest(report);
  const open = checks.filter(({ gates, outcome }) => gates && outcome !== 'ok').length;
  return el(
    'div',
    {},
    ...(worst === null
      ? []
      : [tag(`severity-${worst.severity}`, worst.severity), ` ${clipped(worst.message)}`]),
    el(
      'div',
      { class: 'soft' },
      `${count('fired')} fired, ${count('unknown')} unknown; ${open === 0 ? 'none needs a reason' : `${open} ${open === 1 ? 'needs' : 'need'} a reason`}`,
    ),
  );
}

function clipped(text: string): string {
  return text.length > SHOWN_LETTERS ? `${text.slice(0, SHOWN_LETTERS - 1)}…` : text;
}

/** One row a reason: a proxy that leaves signatures out silences many checks at once. */
function notKnown(checks: readonly CheckResult[]): HTMLElement | null {
  const reasonOf = (check: CheckResult): string => (check.outcome === 'unknown' ? check.reason : '');
  const reasons = [...new Set(checks.map(reasonOf))];
  if (reasons.length === 0) return null;
  const rows = reasons.map((reason) => {
    const same = checks.filter((check) => reasonOf(check) === reason);
    return [
      reason,
      el(
        'ul',
        { class: 'plain' },
        ...same.map(({ id, title }) => el('li', {}, el('code', {}, id), ` ${title}`)),
      ),
    ];
  });
  return fold(
    [tag('unknown'), ` ${checks.length} checks that do not gate`],
    [table(['Why it is not known', 'What'], rows)],
    true,
  );
}

function outcome(check: CheckResult): HTMLElement {
  if (check.outcome === 'ok') return el('span', { class: 'soft' }, check.note);
  if (check.outcome === 'unknown') return el('p', {}, check.reason);
  const more = check.findings.length - SHOWN_FINDINGS;
  return el(
    'ul',
    { class: 'findings' },
    ...findingsOf(check)
      .slice(0, SHOWN_FINDINGS)
      .map((finding) => {
        const hidden = finding.evidence.length - SHOWN_EVIDENCE;
        return el(
          'li',
          {},
          tag(`severity-${finding.severity}`, finding.severity),
          ` ${finding.message}`,
          ...finding.evidence.slice(0, SHOWN_EVIDENCE).map(evidence),
          hidden > 0 ? soft(`and ${hidden} more places`) : null,
        );
      }),
    more > 0 ? soft(`and ${more} more; lk review --json shows all`) : null,
  );
}

function evidence(item: Evidence): HTMLElement {
  if (item.kind === 'change') return changed(item.at, item.before, item.after);
  if (item.kind === 'file')
    return el('pre', {}, `${item.artifact} ${item.path}:${item.line}\n${item.excerpt}`);
  if (item.kind === 'text') return el('pre', {}, `${item.at}\n${item.excerpt}`);
  return el('pre', {}, `${item.source}: ${item.value}`);
}
