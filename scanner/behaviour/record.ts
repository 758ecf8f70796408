/** Who did what when: what is seen is put down to the call during which it began. */
import type { Seen } from '../../schemas/behaviour.ts';
import { type Canary, canariesIn } from './canary.ts';
import type { Honey } from './honey.ts';
import type { Attempt } from './sinkhole.ts';
import type { Watch } from './watch.ts';

const MAX_ATTEMPTS = 500;
/** Characters of one stretch. */
const MAX_STDERR = 4 * 1024 * 1024;

/** A stretch of time that is over. What was said in connections is read at the end: some of it comes late. */
export type Stretch = () => Seen;

export interface Recorder {
  readonly onAttempt: (attempt: Attempt) => void;
  readonly onStderr: (chunk: Buffer) => void;
  /** Ends a stretch; `answer` is what came back in it. */
  end(answer: string, watch: Watch): Promise<Stretch>;
}

/** `onFull` hears once there is more than is looked at: nothing may go by unseen behind what is only much. */
export function openRecorder(honey: Honey, onFull: (what: string) => void): Recorder {
  let attempts: Attempt[] = [];
  let stderr = '';
  let left = MAX_ATTEMPTS;
  return {
    onAttempt: (attempt) => {
      if (left-- > 0) attempts.push(attempt);
      else onFull(`it tried to get out more than ${MAX_ATTEMPTS} times`);
    },
    onStderr: (chunk) => {
      if (stderr.length < MAX_STDERR) stderr += chunk.toString('latin1');
      else onFull('it wrote more than 4 MiB on stderr in one call');
    },
    end: async (answer, watch) => {
      const [mine, words] = [attempts, stderr];
      attempts = [];
      stderr = '';
      const read = await honey.touched();
      const done = watch.take();
      return () => ({
        tried: triedIn(mine),
        ...{ read, ...done },
        given: givenIn({ attempts: mine, answer, stderr: words }, honey.canaries),
      });
    },
  };
}

function triedIn(attempts: readonly Attempt[]): Seen['tried'] {
  const each = new Map(
    attempts.map(({ host, port, via }) => [`${host}:${port} ${via}`, { host, port, via }]),
  );
  return [...each.values()];
}

interface Heard {
  readonly attempts: readonly Attempt[];
  readonly answer: string;
  readonly stderr: string;
}

function givenIn({ attempts, answer, stderr }: Heard, canaries: readonly Canary[]): Seen['given'] {
  const asked = (name: string): boolean => canaries.some((one) => one.name === name && one.asked);
  const given: Seen['given'] = [];
  for (const [to, text] of [
    ['answer', answer],
    ['stderr', stderr],
  ] as const)
    for (const name of canariesIn(text, canaries)) given.push({ name, asked: asked(name), to });
  for (const { host, port, said } of attempts) {
    const where = `${host}:${port}`;
    for (const name of canariesIn(`${host}\n${said()}`, canaries)) {
      const known = given.some((one) => one.name === name && one.where === where);
      if (!known) given.push({ name, asked: asked(name), to: 'connection', where });
    }
  }
  return given;
}
