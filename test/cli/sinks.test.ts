/** `lk` and the audit configuration: what it says of sinks, and what it refuses. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countSinks } from '../../cli/telemetry.ts';
import { openJournal } from '../../runtime/journal/journal.ts';
import { openSinks } from '../../runtime/journal/sinks/open.ts';
import { metrics } from '../../runtime/telemetry/metrics.ts';
import type { AuditConfig } from '../../schemas/sinks.ts';
import { lkHere } from '../helpers/here.ts';
import { bodyOf, memorySink, pumpOf } from '../helpers/journals.ts';
import { httpReceiver } from '../helpers/receivers.ts';
import { tempDir } from '../helpers/session.ts';
import { until } from '../helpers/wait.ts';

async function lk(
  home: string,
  audit: string,
  ...words: string[]
): Promise<{ exit: number; out: string; err: string }> {
  const env = { ...process.env, LOCKKEEPER_HOME: home, LOCKKEEPER_AUDIT: audit, NO_COLOR: '1' };
  const { exit, stdout, stderr } = await lkHere(words, env);
  return { exit, out: stdout, err: stderr };
}

const CONFIG: AuditConfig = {
  lockkeeper: 'audit/v1',
  sinks: {
    siem: { kind: 'syslog', host: 'siem.example.com' },
    lake: { kind: 'file', path: '/tmp/lake.jsonl' },
  },
};

/** A home whose one journal was told to `siem` up to some record, and then not any more. */
async function homeWith(state: 'up' | 'down'): Promise<{ home: string; audit: string }> {
  const home = tempDir();
  mkdirSync(join(home, 'journal'));
  const audit = join(home, 'audit.json');
  writeFileSync(audit, JSON.stringify(CONFIG));
  const journal = await openJournal(join(home, 'journal'));
  const sink = memorySink('siem');
  const pump = pumpOf(journal, sink);
  await journal.append(bodyOf(1));
  await pump.round();
  await journal.append(bodyOf(2));
  const down = (): never => {
    throw new Error('the receiver\nis away');
  };
  if (state === 'down') sink.faults.push(down);
  await pump.round();
  await pumpOf(journal, memorySink('removed')).round();
  await journal.close();
  return { home, audit };
}

describe('lk audit sinks', () => {
  it('shows each sink, how far it is, and exits 0', async () => {
    const { home, audit } = await homeWith('up');
    const { exit, out } = await lk(home, audit, 'audit', 'sinks', '--json');
    const { configured, states, warnings } = JSON.parse(out);
    expect(exit).toBe(0);
    expect(configured).toEqual([
      { name: 'siem', kind: 'syslog', format: 'native' },
      { name: 'lake', kind: 'file', format: 'native' },
    ]);
    expect(states).toMatchObject([{ sink: 'siem', state: 'up', taken: 2, behind: 0, lost: 0 }]);
    expect(warnings).toEqual([]);
  });

  it('exits 4 while one is down, and lk ps and lk doctor say it as well', async () => {
    const { home, audit } = await homeWith('down');
    const { exit, out } = await lk(home, audit, 'audit', 'sinks');
    expect(exit).toBe(4);
    expect(out).toMatch(/^siem +j-[0-9a-f]{16} +down +1 +1 +0 /m);
    expect(out).toMatch(/^lake +- +new /m);
    expect((await lk(home, audit, 'ps')).out).toMatch(/sink siem is down since .*, 1 record wait/);
    expect((await lk(home, audit, 'doctor')).out).toMatch(/^no +sinks +.*siem is down/m);
  });
});

describe('the metrics', () => {
  it('tell of a sink that is down, and how far it is behind', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    for (const n of [1, 2, 3]) await journal.append(bodyOf(n));
    const http = await httpReceiver();
    await http.close();
    const options = {
      journal,
      journalDir: root,
      environment: { HOOK: 'a secret of enough bytes' },
      now: () => new Date(),
      say: () => undefined,
      timing: { pauseMs: 10, closeMs: 500 },
    };
    const lake = { kind: 'webhook', url: `${http.url}/`, secret: 'env:HOOK' } as const;
    const sinks = await openSinks({ lockkeeper: 'audit/v1', sinks: { lake } }, options);
    const counted = metrics();
    countSinks(counted, sinks);
    await until(() => sinks.states()[0]?.state === 'down');
    expect(counted.text()).toMatch(/^lockkeeper_sinks_down 1$/m);
    expect(counted.text()).toMatch(/^lockkeeper_sinks_behind 3$/m);
    expect(counted.text()).toMatch(/^lockkeeper_sinks_lost 0$/m);
    await sinks.close();
    await journal.close();
  });
});

describe('an audit configuration', () => {
  it.each<[string, string]>([
    ['no JSON', '{'],
    ['an unknown key', JSON.stringify({ ...CONFIG, sink: {} })],
    [
      'an unknown key of a sink',
      JSON.stringify({ ...CONFIG, sinks: { a: { kind: 'file', path: '/x/y', mode: 1 } } }),
    ],
    [
      'a secret in its text',
      JSON.stringify({
        ...CONFIG,
        sinks: { a: { kind: 'webhook', url: 'https://a.example/', secret: 'hunter2' } },
      }),
    ],
  ])('that has %s starts nothing', async (_, text) => {
    const home = tempDir();
    const audit = join(home, 'audit.json');
    writeFileSync(audit, text);
    for (const words of [
      ['audit', 'sinks'],
      ['run', 'weather'],
    ]) {
      const { exit, err } = await lk(home, audit, ...words);
      expect(err).toContain('CONFIG_INVALID');
      expect(exit).toBe(2);
    }
  });

  it.each<[object, RegExp]>([
    [{ kind: 'file', path: '/x/y', mode: 1 }, /the sink "a" .*additional properties \("mode"\)/],
    [{ kind: 'webhook', url: 'http://a.example/', secret: 'env:X' }, /"\/url" must be an https:\/\/ address/],
    [{ kind: 'kafka' }, /must be one of "file", "syslog", "webhook", "otlp"/],
  ])('says what is wrong with a sink: %o', async (sink, why) => {
    const home = tempDir();
    const audit = join(home, 'audit.json');
    writeFileSync(audit, JSON.stringify({ ...CONFIG, sinks: { a: sink } }));
    expect((await lk(home, audit, 'audit', 'sinks')).err).toMatch(why);
  });

  it('that is named and not there starts nothing', async () => {
    const home = tempDir();
    const { exit, err } = await lk(home, join(home, 'none.json'), 'run', 'weather');
    expect(err).toContain('none.json');
    expect([exit, err.includes('CONFIG_INVALID')]).toEqual([2, true]);
  });
});
