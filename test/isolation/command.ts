/** The table as a command: every proof in every driver that this machine has, and without any. */
import { table } from '../../cli/output.ts';
import { allDrivers } from '../../runtime/isolation/select.ts';
import type { Streams } from '../attack/command.ts';
import { proofs } from './all.ts';
import { barePlace, type Place, sandboxPlace } from './place.ts';
import { type Answer, answerOf, judge, type Proof, type Verdict } from './proof.ts';
import { openStage, type Stage } from './stage.ts';

export interface Judged {
  readonly verdicts: readonly Verdict[];
  /** Drivers that are not here, and why. */
  readonly absent: readonly { readonly driver: string; readonly why: string }[];
}

const USAGE =
  'npm run isolation [-- --json] [-- WORD…]: only the proofs that begin with one of the words (see also: -- egress)';

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
export async function runTable(words: readonly string[], { out, say }: Streams): Promise<number> {
  const json = words.includes('--json');
  const wanted = words.filter((word) => word !== '--json');
  const chosen = proofs.filter(({ id }) => wanted.length === 0 || wanted.some((word) => id.startsWith(word)));
  if (chosen.length === 0 || wanted.some((word) => word.startsWith('-'))) {
    say(USAGE);
    return 2;
  }
  const began = performance.now();
  const judged = await judgeAll(chosen, say);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const broken = judged.verdicts.filter(({ verdict }) => verdict === 'BROKEN');
  const conclusion = broken.length === 0 && judged.verdicts.length > 0 ? 'ok' : 'broken';
  out(
    json
      ? `${JSON.stringify({ conclusion, seconds, ...judged })}\n`
      : `${tableOf(chosen, judged)}\n${closing(judged, seconds)}\n`,
  );
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

function closing({ verdicts, absent }: Judged, seconds: number): string {
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
    `${count('held')} held, ${count('explained')} explained, ${count('BROKEN')} broken (${seconds} s).`,
  ].join('\n');
}
