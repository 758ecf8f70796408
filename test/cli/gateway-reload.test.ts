/** A lock that changes on the disk: taken over once, tried again while nobody can say whether it holds, and left when it does not. */
import { mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchLock } from '../../cli/gateway/reload.ts';
import type { Project } from '../../cli/project.ts';
import { type Code, LockkeeperError } from '../../schemas/errors.ts';
import { until } from '../helpers/wait.ts';

const dir = mkdtempSync(join(tmpdir(), 'lk-reload-'));
const project = {
  dir,
  lockPath: join(dir, 'mcp.lock'),
  intentPath: join(dir, 'lockkeeper.json'),
} as Project;

/** At once, as a lock is written. */
function put(text: string): void {
  writeFileSync(join(dir, 'new'), text);
  renameSync(join(dir, 'new'), project.lockPath);
}

let over: AbortController;
let watching: Promise<void>;
let tries: number;
let said: string[];
let answers: (Code | null)[];
let looked: number;

beforeEach(async () => {
  over = new AbortController();
  [tries, said, answers, looked] = [0, [], [], 0];
  put('one');
  const reload = async (): Promise<string> => {
    tries++;
    const code = answers.shift();
    if (code) throw new LockkeeperError(code, { expected: 'it', found: 'nothing', next: 'Wait' });
    return 'taken over';
  };
  const counted = {
    get lockPath() {
      looked++;
      return project.lockPath;
    },
    intentPath: project.intentPath,
  } as Project;
  const say = (line: string): void => void said.push(line);
  watching = watchLock({ project: counted, reload, say, stop: over.signal, lookMs: 5, againMs: 1 });
  await until(() => looked > 1);
});
afterEach(async () => {
  over.abort();
  await watching;
});

/** It looked often enough that it would have tried. */
const looks = async (): Promise<unknown> => {
  const from = looked;
  return until(() => looked > from + 3);
};

it('is tried until who has to be asked answers, which is said once', async () => {
  answers = ['REGISTRY_UNREACHABLE', 'REGISTRY_UNREACHABLE', 'REGISTRY_UNREACHABLE'];
  put('another');
  await until(() => said.includes('taken over'));
  expect([tries, said.length]).toEqual([4, 2]);
  await looks();
  expect(tries).toBe(4);
});

it('is tried once where it is refused, and again when it changes', async () => {
  answers = ['LOCK_EXPIRED'];
  put('a third');
  await until(() => said.length === 1);
  await looks();
  expect(tries).toBe(1);
  put('the fourth one');
  await until(() => said.includes('taken over'));
  expect(tries).toBe(2);
});
