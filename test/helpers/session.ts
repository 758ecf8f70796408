/** Sessions with the scripted server: a lock made from the good one, a client made of streams. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { overseen } from '../../runtime/isolation/process.ts';
import { type Journal, openJournal } from '../../runtime/journal/journal.ts';
import type { SessionPolicy } from '../../runtime/policy/session.ts';
import type { RunningServer, SandboxedProcess } from '../../runtime/ports.ts';
import { CLIENT_CAPABILITIES, captureSurface, SESSION_VERSION } from '../../runtime/session/capture.ts';
import type { SessionEnd, SessionOptions } from '../../runtime/session/options.ts';
import { openPeer } from '../../runtime/session/peer.ts';
import { serveSession } from '../../runtime/session/serve.ts';
import { readLines } from '../../runtime/wire/lines.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import type { JsonObject } from '../../schemas/common.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { type Era, pinSurface, type Surface } from '../../schemas/surface.ts';
import { recordsAtRest } from './journals.ts';
import { makeEntry } from './trust.ts';
import { PATIENCE_MS } from './wait.ts';

export const SCRIPTED = join(import.meta.dirname, '../servers/scripted.mjs');

export function tempDir(): string {
  return mkdtempSync(join(tmpdir(), 'lk-test-'));
}

/** A server as a plain child process: for tests of the gate, which is the same whatever isolates. */
export function plainProcess(words: readonly string[]): Promise<SandboxedProcess> {
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'], env: {} });
  return overseen(child, { driver: 'plain', isolation: { driver: 'plain' }, cleanup: async () => undefined });
}

const shown = new Map<string, Promise<Surface>>();

/** What a server shows in this era. It is started for it once in a process; everybody has a copy of their own. */
export async function capture(words: readonly string[], era: Era = 'session'): Promise<Surface> {
  const key = JSON.stringify([words, era]);
  const known = shown.get(key) ?? plainProcess(words).then((child) => captureOf(child, PATIENCE_MS, era));
  shown.set(key, known);
  return structuredClone(await known);
}

/** What a server shows in this era; it is stopped then. */
export async function captureOf(
  child: RunningServer,
  timeoutMs = PATIENCE_MS,
  era: Era = 'session',
): Promise<Surface> {
  try {
    const peer = openPeer(child, {
      message: () => undefined,
      badLine: () => undefined,
      gone: () => undefined,
    });
    const { surface } = await captureSurface(peer, {
      era,
      protocolVersion: SESSION_VERSION,
      clientCapabilities: CLIENT_CAPABILITIES,
      timeoutMs,
    });
    return surface;
  } finally {
    await child.stop(500);
  }
}

/** A process of this machine has an id as well. */
type Started = RunningServer & Partial<SandboxedProcess>;

export interface Running {
  readonly dir: string;
  readonly process: () => Started | null;
  readonly end: Promise<SessionEnd>;
  /** Everything the client received, parsed. */
  readonly received: JsonObject[];
  /** Sends messages as lines. */
  send(...messages: (JsonObject | string)[]): void;
  /** The next message that fits. */
  next(fits: (message: JsonObject) => boolean): Promise<JsonObject>;
  request(id: number, method: string, params?: JsonObject): Promise<JsonObject>;
  close(): Promise<SessionEnd>;
  /** Calls that reached the server, from its own log. */
  calls(): JsonObject[];
  records(): Promise<AuditBody[]>;
}

export interface SessionSetup {
  readonly how?: string;
  readonly content?: SessionOptions['content'];
  readonly telemetry?: SessionOptions['telemetry'];
  readonly entry?: (entry: LockEntry) => void;
  readonly journal?: Journal;
  /** In ms since 1970, as of the moment that it is asked; without it in an hour. */
  readonly lockExpires?: () => number;
  readonly handshakeMs?: number;
  readonly answerMs?: number;
  readonly callMs?: number;
  readonly stop?: AbortSignal;
  readonly watch?: SessionOptions['watch'];
  readonly onRevoke?: SessionOptions['onRevoke'];
  readonly keeping?: SessionOptions['keeping'];
  readonly onState?: SessionOptions['onState'];
  readonly start?: (log: string, record: Parameters<SessionOptions['start']>[0]) => Promise<Started>;
  /** Of another server than the scripted one. */
  readonly surface?: Surface;
  /** Made of the lock that the session is of. */
  readonly policy?: (locked: { entry: LockEntry; surface: Surface }) => SessionPolicy;
  /** Signed in as this person; absent: nobody vouches for erin. */
  readonly user?: string;
}

export async function startSession(setup: SessionSetup = {}): Promise<Running> {
  const surface = setup.surface ?? (await capture([SCRIPTED]));
  const entry: LockEntry = {
    ...makeEntry(),
    surface: pinSurface(surface),
    approvedBy: ['alice', 'bob'],
    approvals: [],
  };
  setup.entry?.(entry);
  const dir = tempDir();
  const log = join(dir, 'calls');
  const journal = setup.journal ?? (await openJournal(join(dir, 'journal')));
  const input = new PassThrough();
  const output = new PassThrough();
  const received: JsonObject[] = [];
  const waiting = new Set<() => void>();
  readLines(output, 1e9, {
    line: (bytes) => {
      received.push(JSON.parse(bytes.toString()) as JsonObject);
      for (const look of waiting) look();
    },
    end: () => undefined,
    error: () => undefined,
  });
  let child: Started | null = null;
  const digest = `sha256:${'a'.repeat(64)}` as const;
  const end = serveSession({
    entry,
    subject: {
      server: entry.server,
      version: entry.version,
      lock: digest,
      closure: digest,
      surface: entry.surface.digest as typeof digest,
      approvedBy: ['alice', 'bob'],
    },
    surface,
    lockExpires: setup.lockExpires ?? (() => Date.now() + 3_600_000),
    caller: {
      user: setup.user ?? 'erin',
      teams: [],
      via: setup.user === undefined ? 'nobody' : 'sign-in',
      actors: [],
    },
    ...(setup.policy ? { policy: setup.policy({ entry, surface }) } : {}),
    journal,
    client: { input, output },
    start: async (record) => {
      child = await (setup.start
        ? setup.start(log, record)
        : plainProcess([SCRIPTED, setup.how ?? 'good', log]));
      return child;
    },
    handshakeMs: setup.handshakeMs ?? PATIENCE_MS,
    ...(setup.answerMs === undefined ? {} : { answerMs: setup.answerMs }),
    ...(setup.callMs === undefined ? {} : { callMs: setup.callMs }),
    ...(setup.telemetry ? { telemetry: setup.telemetry } : {}),
    ...(setup.content ? { content: setup.content } : {}),
    ...(setup.stop ? { stop: setup.stop } : {}),
    ...(setup.watch ? { watch: setup.watch } : {}),
    ...(setup.keeping ? { keeping: setup.keeping } : {}),
    ...(setup.onState ? { onState: setup.onState } : {}),
    ...(setup.onRevoke ? { onRevoke: setup.onRevoke } : {}),
    say: () => undefined,
  });
  const next: Running['next'] = (fits) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`nothing fits in ${JSON.stringify(received).slice(0, 2000)}`)),
        PATIENCE_MS,
      );
      const look = (): void => {
        const found = received.find(fits);
        if (!found) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  const send: Running['send'] = (...messages) => {
    for (const message of messages)
      input.write(
        `${typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message })}\n`,
      );
  };
  return {
    dir,
    process: () => child,
    end,
    received,
    send,
    next,
    request: (id, method, params = {}) => {
      send({ id, method, params });
      return next((message) => message.id === id && message.method === undefined);
    },
    close: async () => {
      input.end();
      return end;
    },
    calls: () =>
      existsSync(log)
        ? readFileSync(log, 'utf8')
            .split('\n')
            // Behind the last end of a line stands what is being written.
            .slice(0, -1)
            .map((line) => JSON.parse(line) as JsonObject)
        : [],
    records: () => recordsAtRest(journal, join(dir, 'journal')),
  };
}

export const INITIALIZE = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};

/** A session whose handshake is done. */
export async function openSession(setup: SessionSetup = {}): Promise<Running> {
  const running = await startSession(setup);
  await running.request(0, 'initialize', INITIALIZE);
  running.send({ method: 'notifications/initialized' });
  return running;
}

/** The code of a refusal, or undefined. */
export function codeOf(message: JsonObject): unknown {
  const error = message.error as { data?: { code?: string } } | undefined;
  return error?.data?.code;
}
