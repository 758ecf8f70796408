/** What `lk scan` prints for people. */
import { renderReport } from '../../scanner/render/report.ts';
import { CLIENT_FILES } from '../../scanner/targets/places.ts';
import { WIDTH, wrapped } from '../../scanner/text.ts';
import type { CheckResult } from '../../schemas/finding.ts';
import type { Scan, ScanTarget } from '../../schemas/scan.ts';
import type { Context, Result } from '../command.ts';
import { plain, table } from '../output.ts';

const EXIT = { ok: 0, refused: 3, unverified: 4 } as const;

interface Wish {
  readonly words: readonly string[];
  readonly full: boolean;
}

export function renderScan(told: Scan, { words, full }: Wish, context: Context): Result {
  const { paint } = context;
  const exit = EXIT[told.conclusion];
  if (told.targets.length === 0) {
    const none = `could not verify: no server in ${words.map(plain).join(', ')}: there was nothing to scan (a folder is searched for ${CLIENT_FILES.slice(0, 3).join(', ')} and the like)`;
    return { data: told, text: paint.yellow(none), exit };
  }
  const blocks = told.targets.map((one) => renderTarget(one, full, context));
  if (told.targets.length > 1) blocks.push(overview(told));
  return { data: told, text: [...blocks, conclusionLine(told, context)].join('\n\n'), exit };
}

function renderTarget(
  { target, file, line, notes, report, error, suppressed }: ScanTarget,
  full: boolean,
  { paint }: Context,
): string {
  const where = file === null ? '' : paint.dim(`  in ${plain(file)}${line === null ? '' : `:${line}`}`);
  const head = report && file === null ? [] : [`${paint.bold(plain(target))}${where}`];
  const said = notes.flatMap(({ id, severity, message }) =>
    under(paint.yellow('note   '), `${id} ${severity}: ${message}`),
  );
  const body = report
    ? [renderReport(report, paint, { full })]
    : under(paint.red('no scan'), `${error?.message ?? ''} [${error?.code}]`);
  const accepted = suppressed.flatMap(({ check, reason, expires }) =>
    under(paint.green('known  '), `${check} accepted until ${expires.slice(0, 10)}: ${reason}`),
  );
  return [...head, ...body, ...said, ...accepted].join('\n');
}

/** A word of seven letters, and what there is to say after it, over as many lines as it takes. */
function under(word: string, text: string): string[] {
  return wrapped(text, WIDTH - 9).map((part, at) => `${at === 0 ? word : ' '.repeat(7)}  ${part}`);
}

function overview({ targets }: Scan): string {
  const rows = targets.map(({ target, source, conclusion, report }) => [
    target,
    source ?? '-',
    conclusion === 'unverified' ? 'could not verify' : conclusion,
    (report?.checks ?? [])
      .filter(({ outcome }) => outcome === 'fired')
      .map(({ id }) => id)
      .join(' ') || '-',
  ]);
  return table(['SERVER', 'SOURCE', 'CONCLUSION', 'FIRED'], rows);
}

function gate(ids: readonly string[]): string {
  return ids.length === 1 ? 'gates' : 'gate';
}

function conclusionLine({ conclusion, targets }: Scan, { paint }: Context): string {
  const accepted = targets.reduce((sum, { suppressed }) => sum + suppressed.length, 0);
  if (conclusion === 'ok')
    return `${paint.green('ok')}: no check that gates ${accepted > 0 ? `has a finding that nobody accepted (${accepted} accepted)` : 'fired'}, and none is unknown.`;
  const gating = targets.flatMap(({ report }) => report?.checks ?? []).filter(({ gates }) => gates);
  const ids = (outcome: CheckResult['outcome']): string[] => [
    ...new Set(gating.filter((check) => check.outcome === outcome).map(({ id }) => id)),
  ];
  const [fired, unknown] = [ids('fired'), ids('unknown')];
  const missing = targets.filter(({ report }) => report === null).length;
  const why = [
    ...(fired.length === 0 ? [] : [`${fired.join(', ')} fired and ${gate(fired)}`]),
    ...(unknown.length === 0 ? [] : [`${unknown.join(', ')} unknown, and ${gate(unknown)}`]),
    ...(missing === 0 ? [] : [`${missing} of ${targets.length} could not be scanned`]),
  ].join('; ');
  const [word, colour] =
    conclusion === 'refused'
      ? (['refused', paint.red] as const)
      : (['could not verify', paint.yellow] as const);
  const next =
    missing === targets.length ? '' : ' In a registry, a reviewer has to accept that by name, with a reason.';
  const [first = '', ...rest] = wrapped(`${word}: ${why}.${next}`);
  return [`${colour(word)}${first.slice(word.length)}`, ...rest].join('\n');
}
