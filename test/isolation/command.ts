/** The table as a command: every proof in every driver that this machine has, and without any. */
import { table } from '../../cli/output.ts';
import { allDrivers } from '../../runtime/isolation/select.ts';
import { egressRows } from '../egress/all.ts';
import { egressClosing, egressTable, judgeEgress } from '../egress/command.ts';
import { asked, type Streams } from '../helpers/show.ts';
import { proofs } from './all.ts';
import { barePlace, type Place, sandboxPlace } from './place.ts';
import { type Answer, answerOf, judge, type Proof, type Verdict } from './proof.ts';
import { openStage, type Stage } from './stage.ts';

/** The word for all rows of egress. */
const ALL_EGRESS = 'egress';

export interface Judged {
  readonly verdicts: readonly Verdict[];
  /** Drivers that are not here, and why. */
  readonly absent: readonly { readonly driver: string; readonly why: string }[];
}

/** The proofs in all drivers that work here. gVisor counts once, by whichever engine has it. */
export async function judgeAll(chosen: readonly Proof[], say: (line: string) => void): Promise<Judged> {
  const stage = await openStage();
  const places: Place[] = [barePlace()];
  const absent: { driver: string; why: string }[] = [];
  try {
    for (const driver of allDrivers(process.execPath)) {
      const status = await driver.detect();
      if (places.some(({ name }) => name === driver.name)) continue;
      if (status.available) places.push(sandboxPlace(driver));
      else absent.push({ driver: driver.name, why: status.reason });
    }
    const answers = new Map<string, Answer[]>();
    for (const place of places) {
      say(`${place.name}: ${chosen.length} proofs`);
      answers.set(place.name, await answersOf(chosen, place, stage));
    }
    const [bare, ...others] = places;
    const controls = answers.get(bare?.name ?? '') ?? [];
    const verdicts = others.flatMap(({ name }) =>
      chosen.map((proof, index) => {
        const none = { broke: false, seen: 'nothing', failed: true };
        const found = answers.get(name)?.[index] ?? none;
        return judge(proof, name, { found, control: controls[index] ?? none });
      }),
    );
    const here = new Set<string>(places.map(({ name }) => name));
    return { verdicts, absent: absent.filter(({ driver }) => !here.has(driver)) };
  } finally {
    await Promise.all(places.map((place) => place.close()));
    stage.close();
  }
}

async function answersOf(chosen: readonly Proof[], place: Place, stage: Stage): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const proof of chosen) answers.push(await answerOf(proof, place, stage));
  return answers;
}

/** Returns the exit code: 0 if everything is held or explained, 1 if not, 2 for words it does not know. */
export async function runTable(words: readonly string[], streams: Streams): Promise<number> {
  const names = [...proofs.map(({ id }) => id), ALL_EGRESS, ...egressRows.map(({ id }) => id)];
  const want = asked(words, { name: 'isolation', of: 'the proofs and the rows of egress', names }, streams);
  if (typeof want === 'number') return want;
  const { json } = want;
  const { out, say } = streams;
  const chosen = proofs.filter(({ id }) => want.isWanted(id));
  const rows = want.words.includes(ALL_EGRESS)
    ? egressRows
    : egressRows.filter(({ id }) => want.isWanted(id));
  const began = performance.now();
  const judged = chosen.length === 0 ? { verdicts: [], absent: [] } : await judgeAll(chosen, say);
  const egress = await judgeEgress(rows, say);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const all = [...judged.verdicts, ...egress.verdicts];
  const broken = all.filter(({ verdict }) => verdict === 'BROKEN').length + (egress.shut === null ? 0 : 1);
  const conclusion = broken === 0 && all.length > 0 ? 'ok' : 'broken';
  const parts = [
    ...(chosen.length === 0 ? [] : [tableOf(chosen, judged), closing(judged)]),
    ...(rows.length === 0 ? [] : ['', egressTable(egress.verdicts), egressClosing(egress)]),
    `(${seconds} s)`,
  ];
  out(json ? `${JSON.stringify({ conclusion, seconds, ...judged, egress })}\n` : `${parts.join('\n')}\n`);
  return conclusion === 'ok' ? 0 : 1;
}

function tableOf(chosen: readonly Proof[], { verdicts }: Judged): string {
  const drivers = [...new Set(verdicts.map(({ driver }) => driver))];
  const at = (proof: Proof, driver: string): Verdict | undefined =>
    verdicts.find((one) => one.proof === proof.id && one.driver === driver);
  return table(
    ['PROOF', 'TRIES TO', 'WITHOUT', ...drivers.map((driver) => driver.toUpperCase())],
    chosen.map((proof) => [
      proof.id,
      proof.tries,
      cut(at(proof, drivers[0] ?? '')?.control ?? ''),
      ...drivers.map((driver) => {
        const one = at(proof, driver);
        return one ? `${one.verdict}: ${cut(one.seen)}` : '';
      }),
    ]),
  );
}

const WIDTH = 36;
function cut(text: string): string {
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}

function closing({ verdicts, absent }: Judged): string {
  const told = (word: Verdict['verdict']): string[] => {
    const by = Map.groupBy(
      verdicts.filter(({ verdict }) => verdict === word),
      ({ driver, why }) => `${driver}: ${why}`,
    );
    return [...by].map(([why, rows]) => `${word} in ${why} (${rows.map(({ proof }) => proof).join('; ')})`);
  };
  const count = (word: Verdict['verdict']): number =>
    verdicts.filter(({ verdict }) => verdict === word).length;
  return [
    '',
    ...told('explained'),
    ...absent.map(({ driver, why }) => `explained in ${driver}: it is not here: ${why}`),
    ...told('BROKEN'),
    '',
    `${count('held')} held, ${count('explained')} explained, ${count('BROKEN')} broken.`,
  ].join('\n');
}
