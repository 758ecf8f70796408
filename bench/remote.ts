/**
 * tools/call of a remote server over TLS, in three ways from the same process: two HTTP clients, bare, and the carrier with its pins, headers, limits and streams. Interleaved rounds; CPU is of the calling process alone.
 */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { Pool } from 'undici';
import { openRemote } from '../runtime/remote/open.ts';
import { spkiOf } from '../runtime/remote/tls.ts';
import { openPeer } from '../runtime/session/peer.ts';
import { type Authority, certify, makeAuthority } from '../test/helpers/certificates.ts';
import { openDir } from '../test/helpers/sandbox.ts';
import type { BenchResult } from './main.ts';
import { median, quantile } from './measure.ts';

const SERVER = join(import.meta.dirname, '../test/servers/remote-plain.mjs');
const ROUNDS = 5;
const CALLS = 1000;
const WARM_UP = 300;
const PARAMS = { name: 'echo', arguments: { text: 'x'.repeat(200) } };
const HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

type Call = () => Promise<unknown>;

const body = (id: number): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: PARAMS });

function throughNode(url: URL, ca: string): Call {
  const agent = new Agent({ keepAlive: true, ca, maxSockets: 64 });
  let id = 0;
  return () =>
    new Promise((resolve, reject) => {
      const outgoing = request(url, { agent, method: 'POST', headers: HEADERS }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      });
      outgoing.on('error', reject).end(body(++id));
    });
}

function throughUndici(url: URL, ca: string): Call {
  const pool = new Pool(url.origin, { connections: 64, connect: { ca }, allowH2: false });
  let id = 0;
  return () =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      pool.dispatch(
        { method: 'POST', path: url.pathname, headers: HEADERS, body: body(++id) },
        {
          onRequestStart: () => undefined,
          onResponseStart: () => undefined,
          onResponseData: (_, chunk) => void chunks.push(chunk),
          onResponseEnd: () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))),
          onResponseError: (_, error) => reject(error),
        },
      );
    });
}

async function throughCarrier(url: URL, ca: Authority, cert: string): Promise<Call> {
  const server = await openRemote({
    launch: {
      ...{ url: url.href, transport: 'streamable-http', reach: 'private' },
      tls: { leaf: [spkiOf(new X509Certificate(cert))], issuer: [], ca: ca.cert },
    },
    record: async () => undefined,
  });
  const peer = openPeer(server, {
    message: () => undefined,
    badLine: () => undefined,
    gone: () => undefined,
  });
  await peer.ask('initialize', {}, 10_000);
  peer.tell('notifications/initialized');
  return () => peer.ask('tools/call', PARAMS, 30_000);
}

interface Measured {
  readonly times: number[];
  readonly cpu: number[];
  readonly rates: number[];
}

async function measure(call: Call, width: number, calls: number, into?: Measured): Promise<void> {
  let left = calls;
  const [from, cpu] = [performance.now(), process.cpuUsage()];
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const since = performance.now();
      await call();
      into?.times.push(performance.now() - since);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  const { user, system } = process.cpuUsage(cpu);
  into?.cpu.push((user + system) / calls);
  into?.rates.push((calls / (performance.now() - from)) * 1000);
}

export async function remote(): Promise<BenchResult> {
  const dir = openDir();
  const authority = makeAuthority(dir, 'authority');
  const { key, cert } = certify(authority, { name: 'localhost', san: 'DNS:localhost', usage: 'serverAuth' });
  writeFileSync(join(dir, 'server.key'), key);
  writeFileSync(join(dir, 'server.pem'), cert);
  const child = spawn(process.execPath, [SERVER, join(dir, 'server.key'), join(dir, 'server.pem')]);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const url = new URL(`https://localhost:${Number(said)}/mcp`);
  const ways: Record<string, Call> = {
    'node:https, bare': throughNode(url, authority.cert),
    'undici, bare': throughUndici(url, authority.cert),
    carrier: await throughCarrier(url, authority, cert),
  };
  const rows: string[][] = [];
  const data: Record<string, object> = {};
  for (const call of Object.values(ways)) await measure(call, 8, WARM_UP);
  for (const width of [1, 32]) {
    const found = new Map(
      Object.keys(ways).map((name) => [name, { times: [], cpu: [], rates: [] } as Measured]),
    );
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, call] of Object.entries(ways)) await measure(call, width, CALLS, found.get(name));
    for (const [name, { times, cpu, rates }] of found) {
      const figures = {
        p50: quantile(times, 0.5),
        p99: quantile(times, 0.99),
        cpuUs: median(cpu),
        perSecond: median(rates),
      };
      data[`${name} c${width}`] = figures;
      const { p50, p99, cpuUs, perSecond } = figures;
      rows.push([
        `${name} c${width}`,
        p50.toFixed(3),
        p99.toFixed(3),
        cpuUs.toFixed(0),
        perSecond.toFixed(0),
      ]);
    }
  }
  child.kill('SIGKILL');
  return {
    head: ['way', 'p50 ms', 'p99 ms', 'CPU us/call', 'calls/s'],
    rows,
    notes: [
      `${ROUNDS} interleaved rounds of ${CALLS} calls, Node ${process.version}, TLS 1.3 over loopback, JSON answers of 300 bytes.`,
      'On top of the bare client, the carrier writes lines into a stream, reads each request for its headers, and parses each answer strictly.',
    ],
    data,
  };
}
