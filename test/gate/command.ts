/** The gate as a command: every control at every face, and each of them taken out to see that the table notices. */
import { table } from '../../cli/output.ts';
import { asked, counting, type Streams } from '../helpers/show.ts';
import { rows } from './all.ts';
import { FACES } from './faces.ts';
import { Copy, type Noticed } from './mutate.ts';
import { type Mutation, mutations } from './mutations.ts';
import { judgeAll, nameOf, type Verdict } from './row.ts';

/** Copies of the tree that are tried at once. */
const COPIES = 2;
/** Controls between two words about how far it is. */
const SAID_EVERY = 10;

/** Each of these controls taken out, one after the other. */
export async function takeOut(chosen: readonly Mutation[], say: (line: string) => void): Promise<Noticed[]> {
  const left = [...chosen];
  const tell = counting(say, chosen.length);
  const noticed: Noticed[] = [];
  await Promise.all(
    Array.from({ length: COPIES }, async () => {
      const copy = new Copy();
      try {
        for (let next = left.shift(); next; next = left.shift()) {
          tell(`without ${next.rows[0]}`);
          noticed.push(await copy.without(next));
        }
      } finally {
        copy.remove();
      }
    }),
  );
  return noticed;
}

/** Returns the exit code: 0 if every control holds and is missed, 1 if not, 2 for words it does not know. */
export async function runGate(words: readonly string[], streams: Streams): Promise<number> {
  const want = asked(
    words,
    {
      name: 'gate',
      of: 'the controls',
      names: rows.map(nameOf),
      flags: { '--table': 'the table alone: no control is taken out' },
    },
    streams,
  );
  if (typeof want === 'number') return want;
  const { out, say } = streams;
  const chosen = rows.filter((row) => want.isWanted(nameOf(row)));
  const began = performance.now();
  say(`${chosen.length} controls at ${FACES.length} faces`);
  const verdicts = await judgeAll(chosen, counting(say, chosen.length, SAID_EVERY));
  const chosenOut = want.flags.has('--table')
    ? []
    : mutations.filter((each) => each.rows.some((row) => want.isWanted(row)));
  const noticed = await takeOut(chosenOut, say);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const broken = verdicts.filter(({ verdict }) => verdict === 'BROKEN').length;
  const unnoticed = noticed.flatMap((each) => [
    ...each.unnoticed.map((where) => `held without its control: ${where}`),
    ...each.stale.map((where) => `named to hold, and did not: ${where}`),
  ]);
  const conclusion = broken === 0 && unnoticed.length === 0 ? 'ok' : 'broken';
  if (want.json) out(`${JSON.stringify({ conclusion, seconds, verdicts, noticed })}\n`);
  else out(`${told(verdicts)}\n${[...unnoticed, closing(verdicts, noticed, seconds)].join('\n')}\n`);
  return conclusion === 'ok' ? 0 : 1;
}

function told(verdicts: readonly Verdict[]): string {
  const names = [...new Set(verdicts.map(({ row }) => row))];
  const at = (row: string, face: string): string =>
    verdicts.find((one) => one.row === row && one.face === face)?.verdict ?? '';
  const reasons = verdicts.filter(({ verdict }) => verdict !== 'held');
  return [
    table(
      ['CONTROL', ...FACES.map((face) => face.toUpperCase())],
      names.map((row) => [row, ...FACES.map((face) => at(row, face))]),
    ),
    '',
    ...reasons.map(({ verdict, row, face, why }) => `${verdict} ${row}, ${face}: ${why}`),
  ].join('\n');
}

function closing(verdicts: readonly Verdict[], noticed: readonly Noticed[], seconds: number): string {
  const count = (word: Verdict['verdict']): number =>
    verdicts.filter(({ verdict }) => verdict === word).length;
  return `${count('held')} held, ${count('n/a')} do not apply, ${count('BROKEN')} broken; ${noticed.length} controls taken out (${seconds} s).`;
}
