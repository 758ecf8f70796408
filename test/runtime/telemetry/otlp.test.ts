import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Exporter, type Span } from '../../../runtime/telemetry/otlp.ts';

describe('the exporter', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });
  async function collector(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> {
    const server = createServer(answer).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const span = (name: string): Span => ({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    name,
    kind: 1,
    startTimeUnixNano: '1',
    endTimeUnixNano: '2',
    attributes: [],
  });
  const options = { resource: [], everyMs: 10, say: () => undefined };

  it('sends batches as OTLP JSON', async () => {
    const got: string[] = [];
    const endpoint = await collector(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      got.push(`${request.url} ${request.headers['content-type']} ${Buffer.concat(chunks)}`);
      response.end('{}');
    });
    const exporter = new Exporter({ ...options, endpoint });
    for (let n = 0; n < 600; n++) exporter.push(span(`s${n}`));
    await exporter.close();
    const start = '/v1/traces application/json {"resourceSpans":[{';
    expect(got.every((one) => one.startsWith(start))).toBe(true);
    expect(got.join().match(/"name":"s\d+"/g)).toHaveLength(600);
    expect([got.length, exporter.dropped]).toEqual([2, 0]);
  });

  it('keeps so many where nobody answers, counts what is lost, and waits for nobody', async () => {
    const exporter = new Exporter({ ...options, endpoint: await collector(() => undefined) });
    for (let n = 0; n < 10_000; n++) exporter.push(span('s'));
    // One batch is on its way.
    expect(exporter.dropped).toBe(10_000 - 4096 - 512);
    await exporter.close();
    exporter.push(span('late'));
    expect(exporter.dropped).toBeGreaterThan(10_000 - 4096 - 512);
  });

  it('says once that spans are not taken', async () => {
    const said: string[] = [];
    const endpoint = await collector((_, response) => response.writeHead(503).end());
    const exporter = new Exporter({ ...options, endpoint, say: (line) => said.push(line) });
    for (const [at, name] of ['a', 'b'].entries()) {
      exporter.push(span(name));
      await expect.poll(() => exporter.dropped).toBe(at + 1);
    }
    expect(said).toEqual(['traces are not taken: it answered 503']);
    await exporter.close();
  });
});
