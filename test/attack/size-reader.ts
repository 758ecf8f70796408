/** A machine in a process of its own, so that what one lock costs can be told: time of the processor and memory. */
import { readFileSync } from 'node:fs';
import type { RootPin } from '../../runtime/trust/root.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { makeMachine } from './machine.ts';

export interface Cost {
  readonly code: string | null;
  readonly expected: string;
  readonly found: string;
  readonly next: string;
  readonly started: number;
  readonly seconds: number;
  readonly mebibytes: number;
}

const [path = '', home = '', pinText = ''] = process.argv.slice(2);
const machine = await makeMachine({ folder: async () => home }, { pin: JSON.parse(pinText) as RootPin });
const lock = readFileSync(path);
const had = process.resourceUsage().maxRSS;
const before = process.cpuUsage();
const error = await machine.start(lock).then(() => null, asLockkeeperError);
const { user, system } = process.cpuUsage(before);
const { code = null, expected = '', found = '', next = '' } = error ?? {};
const cost: Cost = {
  code,
  expected,
  found,
  next,
  started: machine.started.length,
  seconds: (user + system) / 1e6,
  mebibytes: (process.resourceUsage().maxRSS - had) >> 10,
};
process.send?.(cost);
