import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Journal, openJournal } from '../../../runtime/journal/journal.ts';
import { contextOf } from '../../../runtime/telemetry/context.ts';
import { Counter } from '../../../runtime/telemetry/exposition.ts';
import { health } from '../../../runtime/telemetry/health.ts';
import { type Metrics, metrics } from '../../../runtime/telemetry/metrics.ts';
import { observedJournal } from '../../../runtime/telemetry/observed.ts';
import type { Span } from '../../../runtime/telemetry/otlp.ts';
import { Tracer } from '../../../runtime/telemetry/tracer.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import { asLockkeeperError, type LockkeeperError } from '../../../schemas/errors.ts';
import { openSession, type Running, tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const body: AuditBody = {
  kind: 'request.forwarded',
  at: '2026-11-24T00:00:00.000Z',
  runtime: 'j',
  session: 's',
  user: 'u',
  subject: null,
};

interface Observed {
  readonly session: Running;
  readonly counted: Metrics;
  readonly spans: Span[];
}

/** A real session whose journal is observed. */
async function observe(): Promise<Observed> {
  const spans: Span[] = [];
  const counted = metrics();
  const tracer = new Tracer({ push: (...more) => void spans.push(...more) });
  const journal = await openJournal(join(tempDir(), 'journal'));
  const session = await openSession({
    journal: observedJournal(journal, counted, tracer),
    telemetry: [counted, tracer],
  });
  return { session, counted, spans };
}

const echo = (session: Running, id: number, meta: Record<string, string> = {}): Promise<unknown> =>
  session.request(id, 'tools/call', { name: 'echo', arguments: { message: 'hello' }, _meta: meta });
/** The value of one series. */
const seriesAt = (page: string, series: string): string | undefined =>
  page
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1);

describe('metrics of a session', () => {
  it('count its calls, refusals, bytes and times, as its records tell them', async () => {
    const { session, counted } = await observe();
    await echo(session, 1);
    await session.request(2, 'tools/call', { name: 'shell', arguments: {} });
    await session.request(3, 'made/up "by\nsomebody', {});
    await until(() => counted.text().includes('lockkeeper_calls_total{'));
    const page = counted.text();
    const at = 'server="acme.tools/weather"';
    const calls = `lockkeeper_calls_total{${at},method="tools/call",tool="echo",outcome="ok",code=""}`;
    expect(seriesAt(page, calls)).toBe('1');
    const refused = (method: string, code: string): string =>
      `lockkeeper_refusals_total{${at},kind="request.refused",method="${method}",code="${code}"}`;
    expect(seriesAt(page, refused('tools/call', 'TOOL_REFUSED'))).toBe('1');
    expect(seriesAt(page, refused('other', 'METHOD_REFUSED'))).toBe('1');
    expect(Number(seriesAt(page, `lockkeeper_bytes_total{${at},direction="answers"}`))).toBeGreaterThan(10);
    expect(seriesAt(page, `lockkeeper_call_seconds_count{${at},method="tools/call"}`)).toBe('1');
    expect(Number(seriesAt(page, 'lockkeeper_gate_seconds_count'))).toBe(3);
    expect(Number(seriesAt(page, 'lockkeeper_journal_seconds_count'))).toBeGreaterThan(2);
    expect(seriesAt(page, 'lockkeeper_sessions')).toBe('1');
    expect(seriesAt(page, `lockkeeper_instances{${at},state="READY"}`)).toBe('1');
    expect(seriesAt(page, 'lockkeeper_journal_waiting')).toBe('0');
    await session.close();
    expect(seriesAt(counted.text(), 'lockkeeper_sessions')).toBe('0');
    expect(counted.text()).not.toContain('lockkeeper_instances{');
  });

  it('show breakers and what others add', () => {
    const counted = metrics();
    counted.breaker('acme/a', { state: 'open' });
    counted.gauge('journal_unsent', 'Records not shipped yet.', () => 7);
    expect(seriesAt(counted.text(), 'lockkeeper_breaker_open{server="acme/a"}')).toBe('1');
    expect(seriesAt(counted.text(), 'lockkeeper_journal_unsent')).toBe('7');
    for (const taken of ['journal_unsent', 'sessions', 'calls_total'])
      expect(() => counted.gauge(taken, 'again', () => 0)).toThrow('already');
  });

  it('have a bound on their series, whatever is said', () => {
    const counter = new Counter({ name: 'c', help: 'h', labels: ['tool'] });
    counter.add({ tool: 'a"b\\c\nd' });
    for (let n = 0; n < 10_000; n++) counter.add({ tool: `t${n}` });
    const lines = counter.lines().join('\n').split('\n');
    expect(lines).toHaveLength(502);
    expect(lines).toContain('c{tool="other"} 9502');
    expect(lines).toContain('c{tool="a\\"b\\\\c\\nd"} 1');
  });
});

describe('a trace', () => {
  it('has a span for each call, with what it waited for, in the trace that the caller named', async () => {
    const { session, spans } = await observe();
    await echo(session, 1, { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'a=1' });
    await until(() => spans.length > 0);
    const [whole, ...parts] = spans;
    expect(whole).toMatchObject({
      name: 'tools/call echo',
      traceId: TRACE,
      parentSpanId: PARENT,
      traceState: 'a=1',
      kind: 2,
    });
    expect(parts.map(({ name, parentSpanId, traceId }) => [name, parentSpanId, traceId])).toEqual(
      ['gate', 'record', 'server'].map((name) => [name, whole?.spanId, TRACE]),
    );
    const times = spans.map((span) => [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)]);
    expect(times.every(([from = 0n, to = 0n]) => from <= to)).toBe(true);
    expect(Math.abs(Number(times[0]?.[0]) / 1e6 - Date.now())).toBeLessThan(60_000);
    expect(JSON.stringify(spans)).not.toContain('hello');
    // The server is sent the very bytes: its own spans have the caller's for a parent.
    expect(JSON.stringify(session.calls())).toContain(PARENT);
    await session.close();
  });

  it('begins anew where there is none, is told of refusals, and not of what is not sampled', async () => {
    const { session, spans } = await observe();
    await echo(session, 1, { traceparent: `00-${TRACE}-${PARENT}-00` });
    expect(spans).toEqual([]);
    await session.request(2, 'tools/call', { name: 'shell', arguments: {} });
    expect(spans[0]).toMatchObject({ status: { code: 2, message: 'TOOL_REFUSED' } });
    expect(spans[0]).not.toHaveProperty('parentSpanId');
    await session.close();
  });

  it('goes on from the headers of the message that is judged next, and of no other', () => {
    const spans: Span[] = [];
    const tracer = new Tracer({ push: (...more) => void spans.push(...more) });
    tracer.headers(`00-${TRACE}-${PARENT}-01`, undefined);
    tracer.recorded({ ...body, kind: 'request.refused' });
    tracer.judged();
    tracer.recorded({ ...body, kind: 'request.refused' });
    const traces = spans.filter(({ kind }) => kind === 2).map(({ traceId }) => traceId === TRACE);
    expect(traces).toEqual([true, false]);
  });

  it.each([
    undefined,
    7,
    '',
    `ff-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE}-${PARENT}`,
    'x'.repeat(100_000),
  ])('is not taken from %j', (traceparent) => expect(contextOf(traceparent)).toBeNull());

  it('is taken from later versions, without a state that is malformed or too long', () => {
    expect(contextOf(`01-${TRACE}-${PARENT}-03-new`, 'a\nb')).toEqual({
      trace: TRACE,
      parent: PARENT,
      sampled: true,
      state: '',
    });
    const long = contextOf(`00-${TRACE}-${PARENT}-00`, 'a'.repeat(600));
    expect(long).toMatchObject({ sampled: false, state: '' });
  });
});

describe('a journal that is observed', () => {
  it('keeps its records whatever an observer does, and fails as it fails', async () => {
    const seen: unknown[] = [];
    const fail = (): never => {
      throw new Error('no');
    };
    const bad = { recorded: fail, settled: fail };
    const failing = { id: 'j', append: () => Promise.reject(new Error('full')) } as unknown as Journal;
    const journal = observedJournal(failing, bad, { settled: (_, __, failed) => seen.push(failed) });
    await expect(journal.append(body)).rejects.toThrow('full');
    expect(seen).toMatchObject([{ message: 'full' }]);
    const open = await openJournal(join(tempDir(), 'journal'));
    expect(await observedJournal(open, bad).append(body)).toBe(1);
    await open.close();
  });
});

describe('health', () => {
  it('is ready while the journal can be written and the lock is valid, and says why not', () => {
    let expires: number | null = 1000;
    let now = 999;
    const dir = tempDir();
    let failure: LockkeeperError | null = null;
    const journal = { dir, failure: () => failure };
    const well = health({ journal, lockExpires: () => expires, now: () => now });
    expect([well.live(), well.ready()]).toEqual([{ ok: true }, { ok: true, reasons: [] }]);
    now = 1000;
    expect(well.ready()).toEqual({ ok: false, reasons: ['the lock has expired'] });
    expires = null;
    expect(well.ready().reasons).toEqual(['there is no lock']);
    expires = 2000;
    failure = asLockkeeperError(new Error('full'));
    expect(well.ready().reasons).toEqual(['a record could not be kept']);
    failure = null;
    expect(well.ready().ok).toBe(true);
    rmSync(dir, { recursive: true });
    expect(well.ready().reasons).toContain('the journal’s folder cannot be written to');
    expect(well.live()).toEqual({ ok: true });
  });
});
