/** Reads the sets, lets the checks of a scan judge each record, prints rates and gates. */
import { parseArgs } from 'node:util';
import { LockkeeperError } from '../../schemas/errors.ts';
import { dataDir } from './config.ts';
import { type DriftVerdict, verdictOfDrift } from './drift.ts';
import { serversOf, type Verdict, verdictOfTool, verdictsOfServer } from './judged.ts';
import { type PatchVerdict, verdictOfPatch } from './patches.ts';
import { print } from './print.ts';
import { readSets, type Sets, type ToolRecord } from './records.ts';
import { gatesOf, isReal, type Judged, rowsOf } from './score.ts';

export interface Quality {
  readonly sets: Sets;
  readonly judged: readonly Judged[];
  readonly patches: readonly PatchVerdict[];
  readonly drifts: readonly DriftVerdict[];
  /** Milliseconds of this thread on a processor that each tool took, in order of size: others at work do not count. */
  readonly times: readonly number[];
}

interface Io {
  readonly out: (text: string) => void;
}

/** 0 when every gate held, 1 when one failed, 4 when one could not be judged. */
export async function runQuality(words: readonly string[], { out }: Io): Promise<number> {
  const options = {
    data: { type: 'string' },
    json: { type: 'boolean' },
    misses: { type: 'boolean' },
  } as const;
  const { values } = parsed(() => parseArgs({ args: [...words], options }));
  const quality = await measure(readSets(dataDir(values.data)));
  const gates = gatesOf(quality);
  out(print({ quality, rows: rowsOf(quality.judged), gates }, values));
  if (gates.some(({ held }) => held === false)) return 1;
  return gates.some(({ held }) => held === null) ? 4 : 0;
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new LockkeeperError('USAGE', {
      expected: '--data DIR, --misses, --json',
      found: (error as Error).message,
      next: 'Such as: npm run quality -- --data DIR --misses',
    });
  }
}

/** Attacks and small sets record by record; the tools of a real server together, as they are scanned. */
export async function measure(sets: Sets): Promise<Quality> {
  const verdicts = new Map<ToolRecord, Verdict>();
  const times: number[] = [];
  const timed = async <T>(count: number, run: () => Promise<T>): Promise<T> => {
    const start = process.threadCpuUsage();
    const result = await run();
    const { user, system } = process.threadCpuUsage(start);
    times.push(...Array.from({ length: count }, () => (user + system) / 1000 / count));
    return result;
  };
  const [real, single] = [sets.tools.filter(isReal), sets.tools.filter((record) => !isReal(record))];
  for (const record of single) verdicts.set(record, await timed(1, () => verdictOfTool(record)));
  for (const group of serversOf(real))
    for (const [record, verdict] of await timed(group.length, () => verdictsOfServer(group)))
      verdicts.set(record, verdict);
  const patches: PatchVerdict[] = [];
  for (const record of sets.patches) patches.push(await verdictOfPatch(record));
  const judged = [...verdicts].map(([record, verdict]) => ({ record, verdict }));
  const drifts = sets.drifts.map(verdictOfDrift);
  return { sets, judged, patches, drifts, times: times.sort((a, b) => a - b) };
}
