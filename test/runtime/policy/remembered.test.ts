import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlowState, type Read } from '../../../runtime/policy/flows.ts';
import { FlowMemories } from '../../../runtime/policy/remembered.ts';
import { clearRead } from '../../../runtime/policy/remembered-file.ts';
import type { Remembers } from '../../../runtime/policy/rules.ts';
import { tempDir } from '../../helpers/session.ts';

const HOUR_MS = 3_600_000;
const PERSON: Remembers = { by: 'person', ms: 8 * HOUR_MS };
const EACH: Remembers = { by: 'credential', ms: 8 * HOUR_MS };
const STRANGERS: Read = { untrusted: true, private: false };
const SECRETS: Read = { untrusted: false, private: true };
const NOTHING: Read = { untrusted: false, private: false };
const BOTH: Read = { untrusted: true, private: true };
const ada = (principal = 'token 1') => ({ user: 'Ada', principal });

/** Processes over one folder, with one clock. */
function world() {
  const dir = tempDir();
  const clock = { now: Date.parse('2026-11-30T08:00:00.000Z') };
  const cleared: string[] = [];
  const process = (lookMs = 0): FlowMemories =>
    new FlowMemories({ dir, lookMs, now: () => clock.now, cleared: (user) => void cleared.push(user) });
  return { dir, clock, cleared, process };
}

async function reads(flow: FlowState, read: Read, call = 'c/1'): Promise<void> {
  const reader = { call, what: 'docs/search' };
  flow.keep(read, reader);
  await flow.kept;
  flow.saw(read, reader);
}

const session = (memories: FlowMemories, whose = ada(), remembers = PERSON): FlowState =>
  new FlowState(memories.of(whose, remembers));

describe('what somebody has read', () => {
  it('counts in all of their sessions, with other credentials, in other processes and after a restart', async () => {
    const { process } = world();
    const [one, other] = [process(), process()];
    const [here, beside, there] = [session(one), session(one, ada('token 2')), session(other)];
    await reads(here, STRANGERS);
    await reads(there, SECRETS, 'c/2');
    for (const flow of [here, beside, there, session(process())]) {
      expect(flow.read).toEqual(BOTH);
      expect(flow.readers).toMatchObject({ untrusted: { call: 'c/1' }, private: { call: 'c/2' } });
    }
    expect(session(process(), { user: 'ada', principal: 'x' }).read).toEqual(BOTH);
    expect(session(process(), { user: 'bob', principal: 'token 1' }).read).toEqual(NOTHING);
  });

  it('is of each credential where the policy says so', async () => {
    const { process } = world();
    await reads(session(process(), ada(), EACH), BOTH);
    expect(session(process(), ada(), EACH).read).toEqual(BOTH);
    expect(session(process(), ada('token 2'), EACH).read).toEqual(NOTHING);
    expect(session(process()).read).toEqual(NOTHING);
  });

  it('is on the disk before its answer is asked for, and only then counts', async () => {
    const { process } = world();
    const one = process(1000);
    const flow = session(one);
    flow.keep(BOTH, { call: 'c/1', what: 'docs/search' });
    expect(flow.kept).not.toBeNull();
    expect(session(process()).read).toEqual(NOTHING);
    await flow.kept;
    expect([flow.kept, flow.read]).toEqual([null, NOTHING]);
    expect(session(process()).read).toEqual(BOTH);
  });

  it('of two processes that write at once, both stays; of many calls at once, one is written', async () => {
    const { dir, process } = world();
    const flows = Array.from({ length: 6 }, () => session(process()));
    await Promise.all(flows.map((flow, n) => reads(flow, n % 2 ? STRANGERS : SECRETS)));
    expect(session(process()).read).toEqual(BOTH);
    const one = session(process());
    for (let n = 0; n < 100; n++) one.keep(BOTH, { call: `c/${n}`, what: 'docs/search' });
    expect(one.kept).toBeNull();
    expect(readdirSync(dir).length).toBe(1);
  });

  it('ends a while after it was read last; a session that read it goes on to know', async () => {
    const { clock, process } = world();
    const one = process();
    const flow = session(one);
    await reads(flow, BOTH);
    clock.now += 7 * HOUR_MS;
    await reads(session(one), STRANGERS, 'c/2');
    clock.now += 3 * HOUR_MS;
    expect(session(process()).read).toEqual(STRANGERS);
    clock.now += 7 * HOUR_MS;
    for (const memories of [one, process()]) expect(session(memories).read).toEqual(NOTHING);
    expect(flow.read).toEqual(BOTH);
  });

  it('is never shorter than said, however seldom it is written', async () => {
    const { clock, process } = world();
    const one = session(process());
    await reads(one, BOTH);
    clock.now += HOUR_MS - 1;
    await reads(one, BOTH);
    clock.now += 8 * HOUR_MS;
    expect(session(process()).read).toEqual(BOTH);
  });

  it('of a clock that went back counts', async () => {
    const { clock, process } = world();
    await reads(session(process()), BOTH);
    clock.now -= 1000 * HOUR_MS;
    expect(session(process()).read).toEqual(BOTH);
  });

  it.each(['{', '{"lockkeeper":"read/v2"}', ''])('that cannot be read (%j) counts as all', async (text) => {
    const { dir, process } = world();
    await reads(session(process()), STRANGERS);
    const [name = ''] = readdirSync(dir);
    writeFileSync(join(dir, name), text);
    const flow = session(process());
    expect(flow.read).toEqual(BOTH);
    expect(flow.readers.private?.what).toContain(name);
    rmSync(join(dir, name));
    mkdirSync(join(dir, name));
    expect(session(process()).read).toEqual(BOTH);
  });

  it('that cannot be written is said, and tried again', async () => {
    const { dir, process } = world();
    const flow = session(process());
    rmSync(dir, { recursive: true });
    writeFileSync(dir, 'in the way');
    flow.keep(BOTH, { call: 'c/1', what: 'docs/search' });
    await expect(flow.kept).rejects.toMatchObject({ code: 'FLOWS_BROKEN' });
    expect(flow.kept).toBeNull();
    rmSync(dir);
    await reads(flow, BOTH);
    expect(session(process()).read).toEqual(BOTH);
  });

  it('is taken away by whoever may, of one user alone, and told of', async () => {
    const { dir, cleared, process } = world();
    const [one, other] = [process(), process()];
    const flow = session(one);
    await reads(flow, BOTH);
    await reads(session(one, ada('token 2'), EACH), BOTH);
    await reads(session(one, { user: 'bob', principal: 'x' }), BOTH);
    expect(session(other).read).toEqual(BOTH);
    expect(await clearRead(dir, 'ADA')).toBe(2);
    for (const memories of [one, other]) expect(session(memories).read).toEqual(NOTHING);
    expect(flow.read).toEqual(BOTH);
    expect(session(process(), { user: 'bob', principal: 'x' }).read).toEqual(BOTH);
    expect(cleared).toEqual(['ada', 'ada']);
    expect(await clearRead(dir, 'ada')).toBe(0);
  });

  it('is looked for once for all that one read brought in, and anew for what comes in next', async () => {
    const { dir, process } = world();
    await reads(session(process()), SECRETS);
    const flow = session(process(60_000));
    expect(flow.read).toEqual(SECRETS);
    const [name = ''] = readdirSync(dir);
    const path = join(dir, name);
    flow.look();
    writeFileSync(path, readFileSync(path, 'utf8').replace('private', 'untrusted'));
    flow.look();
    expect(flow.read).toEqual(SECRETS);
    await new Promise(setImmediate);
    flow.look();
    expect(flow.read).toEqual(BOTH);
  });

  it('that no policy can count any more is swept', async () => {
    const { dir, clock, process } = world();
    clock.now = Date.now();
    await reads(session(process()), BOTH);
    await process().sweep();
    expect(readdirSync(dir).length).toBe(1);
    clock.now += 61 * 24 * HOUR_MS;
    await process().sweep();
    expect(readdirSync(dir)).toEqual([]);
  });
});
