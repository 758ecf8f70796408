/** Plays the suite's clients in this process: to start one anew for each scenario takes most of its time. */
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { credentialsFor } from './credentials.ts';
import { type Hop, openPassthrough } from './hops.ts';
import { attendedBy } from './person.ts';
import { type Context, isPersonal, play } from './play.ts';
import { openPersonalGateway, openRemoteGateway } from './remote-hop.ts';
import { REVISIONS, type Revision } from './suite.ts';

export interface Host {
  /** The client that the suite starts for a way; it adds the address. */
  commandOf(way: string): string;
  close(): void;
}

const RELAY = join(import.meta.dirname, 'relay.mjs');

export async function openHost(): Promise<Host> {
  const socket = join(mkdtempSync(join(tmpdir(), 'lk-host-')), 's');
  const server = createServer({ allowHalfOpen: true }, (line) => void serve(line));
  server.listen(socket);
  await once(server, 'listening');
  const speak = silenced();
  return {
    commandOf: (way) => `"${process.execPath}" "${RELAY}" "${socket}" ${way}`,
    close: () => {
      server.close();
      speak();
    },
  };
}

/** The SDK tells of itself where this process prints its one object; gives what undoes it. */
function silenced(): () => void {
  const names = ['debug', 'info', 'log', 'warn'] as const;
  const before = names.map((name) => [name, console[name]] as const);
  for (const name of names) console[name] = () => undefined;
  return () => {
    for (const [name, print] of before) console[name] = print;
  };
}

async function serve(line: Socket): Promise<void> {
  line.on('error', () => undefined);
  try {
    await perform(JSON.parse(await text(line)) as Told);
    line.end('played');
  } catch (error) {
    line.end(String((error as Error).stack));
  }
}

/** What the suite tells its client. */
interface Told {
  readonly way: string;
  readonly url: string;
  readonly scenario: string;
  readonly context?: string;
  readonly version?: string;
}

interface Reached extends Hop {
  readonly again?: () => Promise<boolean>;
}

async function perform({ way, url, scenario, context: told = '{}', version }: Told): Promise<void> {
  const context = JSON.parse(told) as Context;
  const revision = REVISIONS.find((each) => each === version) ?? '2026-07-28';
  const { again, ...hop } = await reach(way, url, { scenario, context, revision });
  try {
    await play(hop.url, { scenario, context, revision, alone: way !== 'gateway', again });
  } finally {
    await hop.close();
  }
}

/** Loses what the newer era repeats in headers; it is there to be seen. */
const loss = { headers: (headers: NodeJS.Dict<string | string[]>) => void delete headers['mcp-name'] };

interface Scene {
  readonly scenario: string;
  readonly context: Context;
  readonly revision: Revision;
}

async function reach(way: string, url: string, { scenario, context, revision }: Scene): Promise<Reached> {
  if (way === 'direct') return { url, close: async () => undefined };
  if (way === 'lossy') return openPassthrough(url, { loss });
  if (way !== 'gateway') throw new Error(`host.ts: expected direct, gateway or lossy; found ${way}`);
  if (isPersonal(scenario))
    return openPersonalGateway(url, revision, (launch) =>
      attendedBy(launch, context, scenario === 'auth/basic-cimd'),
    );
  const own = context.client_id === undefined ? undefined : await credentialsFor('suite', url, context);
  return openRemoteGateway(url, revision, own);
}
