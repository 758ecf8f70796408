/** Several servers at once: each is told of those before it, whichever is done first, and all are told in their order. */
import type { Peer } from '../../scanner/ports.ts';
import type { ScanTarget } from '../../schemas/scan.ts';
import { clip } from '../output.ts';
import type { Target } from './targets.ts';

/** Each holds a sandbox, and processes that read code. */
const AT_ONCE = 2;
/** Characters that each has on the line that says how far they are. */
const SHOWN = 39;

export interface Turn {
  readonly target: Target;
  /** Servers before it in the order, once they were scanned. Those that could not be are none. */
  readonly before: () => Promise<readonly Peer[]>;
  /** It is one of those from now on. */
  readonly scanned: (peer: Peer) => void;
  readonly progress: (step: string) => void;
}

/** `scan` never throws what is about one target. Waits for nothing that has not begun. */
export async function several(
  targets: readonly Target[],
  progress: (line: string) => void,
  scan: (turn: Turn) => Promise<ScanTarget>,
): Promise<ScanTarget[]> {
  const known = targets.map(() => Promise.withResolvers<Peer | null>());
  const steps = new Map<number, string>();
  const tell = (): void => {
    const lines = [...steps.values()];
    progress(
      lines.length < 2 ? (lines[0] ?? '') : lines.map((line) => clip(line, SHOWN).padEnd(SHOWN)).join(' '),
    );
  };
  const told: ScanTarget[] = [];
  const left = [...targets.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [at, target] = next;
      const before = async (): Promise<Peer[]> =>
        (await Promise.all(known.slice(0, at).map(({ promise }) => promise))).filter((peer) => peer !== null);
      const step = (said: string): void => {
        steps.set(at, `${target.target}: ${said}`);
        tell();
      };
      told[at] = await scan({ target, before, scanned: (peer) => known[at]?.resolve(peer), progress: step });
      known[at]?.resolve(null);
      steps.delete(at);
      tell();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return told;
}
