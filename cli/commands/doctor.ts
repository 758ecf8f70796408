import { access, constants, mkdir } from 'node:fs/promises';
import { selectDriver } from '../../runtime/isolation/select.ts';
import { verifyJournal } from '../../runtime/journal/journal.ts';
import { counted } from '../../scanner/text.ts';
import { Health, Me } from '../../schemas/api.ts';
import { Attention } from '../../schemas/attention.ts';
import { asLockkeeperError, CODES, LockkeeperError } from '../../schemas/errors.ts';
import { openApi } from '../api.ts';
import type { Command, Context } from '../command.ts';
import { minute, table } from '../output.ts';
import { sinkStates, warningsOf } from '../sinks.ts';

interface Line {
  readonly check: string;
  readonly ok: boolean;
  readonly found: string;
  readonly next: string;
}

export const doctor: Command = {
  summary: 'check this machine: isolation, keys, journals, sinks, registry',
  words: '',
  options: {},
  examples: ['lk doctor', 'lk doctor --json'],
  arity: [0, 0],
  async run(context) {
    const lines: Line[] = [];
    for (const [check, look] of Object.entries(CHECKS)) lines.push(await ask(check, () => look(context)));
    const failed = lines.filter((line) => !line.ok);
    const rows = lines.map((line) => [line.ok ? 'ok' : 'no', line.check, line.found]);
    const painted = (cell: string, column: number): string =>
      column > 0 ? cell : cell.startsWith('no') ? context.paint.red(cell) : context.paint.green(cell);
    const steps = [...new Set(failed.map(({ next }) => next))];
    const advice = steps.map(
      (next) => `${failed.flatMap((line) => (line.next === next ? [line.check] : [])).join(', ')}: ${next}`,
    );
    return {
      data: { conclusion: failed.length ? 'unverified' : 'ok', checks: lines },
      text: [table(['', 'CHECK', 'FOUND'], rows, painted), ...(advice.length ? ['', ...advice] : [])].join(
        '\n',
      ),
      exit: failed.length ? CODES.ISOLATION_MISSING.exit : 0,
    };
  },
};

async function ask(check: string, look: () => Promise<string>): Promise<Line> {
  try {
    return { check, ok: true, found: await look(), next: '' };
  } catch (thrown) {
    const error = asLockkeeperError(thrown);
    // What to do next stands below the table, once.
    return { check, ok: false, found: error.message.replace(` ${error.next}.`, ''), next: error.next };
  }
}

const CHECKS: Readonly<Record<string, (context: Context) => Promise<string>>> = {
  node: async () => `${process.version} on ${process.platform}-${process.arch}`,
  isolation: async () => {
    const { driver, version } = await selectDriver({ nodePath: process.execPath });
    return `${driver.name} ${version}`;
  },
  home: async ({ home }) => {
    await mkdir(home.dir, { recursive: true });
    await access(home.dir, constants.W_OK);
    return home.dir;
  },
  keys: async ({ home }) => {
    const names: string[] = [];
    for (const name of await home.keyNames()) {
      const { kind } = await home.storedKey(name);
      names.push(kind === 'file' ? name : `${name} (${kind})`);
    }
    return names.length ? names.join(', ') : 'none yet (lk keys new makes one)';
  },
  journals: async ({ home }) => {
    const { journals, records } = await verifyJournal(home.journalDir);
    if (journals === 0) return `none yet (${home.journalDir})`;
    return `${counted(records, 'record')} in ${counted(journals, 'journal')}, chains unbroken (${home.journalDir})`;
  },
  sinks: async (context) => {
    const { config, states } = await sinkStates(context);
    const names = Object.entries(config.sinks).map(([name, { kind }]) => `${name} (${kind})`);
    const down = warningsOf(states.filter(({ state }) => state === 'down'));
    if (down.length === 0) return names.length > 0 ? names.join(', ') : 'none but the registry';
    throw new LockkeeperError('SINK_FAILED', {
      expected: 'every sink to take records',
      found: down.join('; '),
      next: 'Look at the receiver; the records wait in the journal (lk audit sinks)',
    });
  },
  servers: async (context) => {
    const [signIn] = await context.home.signIns();
    if (!signIn) return 'not asked: not signed in to a registry';
    const api = await context.api();
    const { roles } = await api.call('me', Me);
    if (!roles.some((role) => role !== 'runtime')) return 'not asked: this sign-in is a runtime’s';
    const { orphaned, due, held, judged, failed } = await api.call('attention', Attention);
    const names = orphaned.map(({ name, owner }) => `${name} (${owner} left)`).join(', ');
    const against = new Set([...held, ...judged, ...failed].map(({ id }) => id)).size;
    const review = [
      ...(against > 0 ? [`; something stands against ${counted(against, 'release')} (lk review)`] : []),
      ...(due.length > 0 ? [`; ${counted(due.length, 'release')} due for re-review (lk review)`] : []),
    ].join('');
    if (orphaned.length === 0) return `every server has an owner${review}`;
    // Only an administrator can help; for everybody else it is news.
    if (!roles.includes('admin')) return `without an owner: ${names}${review}`;
    throw new LockkeeperError('SERVER_ORPHANED', {
      expected: 'somebody who answers for every server',
      found: `nobody for ${names}`,
      next: 'Name an owner: lk owner NAME PERSON',
    });
  },
  registry: async (context) => {
    const signIns = await context.home.signIns();
    if (signIns.length === 0) return 'not signed in to any (lk login does)';
    const api = await context.api();
    const health = await openApi(api.registry, null).call('health', Health);
    const { person } = await api.call('me', Me);
    const mine = signIns.find((one) => one.person === person && one.registry === api.registry);
    const until = mine ? ` until ${minute(mine.expires)} UTC` : '';
    return `${api.registry} ${health.version}${health.trial ? ', TRIAL' : ''}; signed in as ${person}${until}`;
  },
};
