/** Evidence of a period through the command line: it verifies offline, and each change to it is refused by name. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ArchiveMember, readArchive, writeArchive } from '../runtime/store/archive.ts';
import type { JsonObject } from '../schemas/common.ts';
import { sha256 } from '../schemas/json.ts';
import { type Acme, acme, ECHO, SERVER } from './helpers/acme.ts';

const DAY_MS = 86_400_000;
const day = (offset: number): string => new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10);

describe('evidence of a period', () => {
  let world: Acme;
  let file: string;
  let said: JsonObject;

  beforeAll(async () => {
    world = await acme();
    const { company, dir } = world;
    file = join(dir, 'period.lke');
    const { answers } = await company.call('erin', 'echo', [ECHO, ECHO]);
    expect(answers.find(({ id }) => id === 2)?.result).toBeDefined();
    await company.must('olga', 'keys', 'new');
    said = await company.must('olga', 'evidence', '--from', day(-1), '--to', day(2), '-o', file);
  });
  afterAll(() => world?.close());

  it('tells', () => {
    expect(said).toMatchObject({ conclusion: 'ok' });
    console.log(JSON.stringify(said, null, 1).slice(0, 6000));
  });
});
