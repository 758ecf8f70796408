import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCliConfig } from '../../cli/config.ts';
import { openTelemetry } from '../../cli/telemetry.ts';
import { openJournal } from '../../runtime/journal/journal.ts';
import { openSession, tempDir } from '../helpers/session.ts';

describe('telemetry of what runs', () => {
  it('counts, and sends traces to the collector that is named, the last ones at the end', async () => {
    const got: string[] = [];
    const server = createServer(async (request, response) => {
      for await (const chunk of request) got.push(String(chunk));
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const collector = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const kept = await openJournal(join(tempDir(), 'journal'));
    const telemetry = openTelemetry({ journal: kept, collector, say: () => undefined });
    const session = await openSession({ journal: telemetry.journal, telemetry: telemetry.sessions });
    await session.request(1, 'tools/call', { name: 'echo', arguments: { message: 'hello' } });
    await session.close();
    await telemetry.close();
    expect(got.join('')).toContain('"name":"tools/call echo"');
    expect(got.join('')).toContain(`"key":"service.instance.id","value":{"stringValue":"${kept.id}"}`);
    expect(telemetry.metrics.text()).toContain('lockkeeper_spans_dropped 0');
    server.close();
  });

  it('asks nobody where no collector is named', async () => {
    const kept = await openJournal(join(tempDir(), 'journal'));
    const { tracer, sessions, close } = openTelemetry({
      journal: kept,
      collector: null,
      say: () => undefined,
    });
    expect([tracer, sessions.length]).toEqual([null, 1]);
    await close();
    await kept.close();
  });

  it('takes an address alone', () => {
    const config = (address: string) => loadCliConfig({ LOCKKEEPER_OTLP: address }, false).collector;
    expect([config(''), config('http://127.0.0.1:4318')]).toEqual([null, 'http://127.0.0.1:4318']);
    for (const wrong of ['127.0.0.1:4318', 'file:///x', 'http://'])
      expect(() => config(wrong)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
