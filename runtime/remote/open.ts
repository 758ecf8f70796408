/**
 * A remote server as one that runs here: lines in, lines out. The gate, the lock and the journal see no difference, and
 * neither does the scanner, which connects through this too.
 */
import { Readable, Writable } from 'node:stream';
import { asLockkeeperError, type LockkeeperError } from '../../schemas/errors.ts';
import { hostPortOf, type RemoteLaunch } from '../../schemas/remote.ts';
import { inTime } from '../deadline.ts';
import type { Exit, RunningServer } from '../ports.ts';
import { type Channel, openChannel } from './channel.ts';
import type { Tools } from './headers.ts';
import { OldTransport } from './old.ts';
import { asides, LIMITS, type Limits, type Outlet, saidOf } from './outlet.ts';
import { type Credentials, Requests } from './requests.ts';
import { Streamable } from './streamable.ts';
import type { Dial, TlsIdentity } from './tls.ts';

/** Bytes on their way to the server before whoever sends has to wait. */
const MOST_BYTES = 8 * 1024 * 1024;
const LEAVE_MS = 2000;
const NEWLINE = Buffer.from('\n');
const TOGETHER_BYTES = 65_536;

export interface RemoteOptions extends Dial {
  readonly launch: Dial['launch'] & Pick<RemoteLaunch, 'transport'>;
  readonly credentials?: Credentials;
  /** The locked tools, whose arguments may have to be repeated in headers. */
  readonly tools?: Tools;
  readonly limits?: Partial<Limits>;
}

export interface RemoteServer extends RunningServer {
  readonly identity: TlsIdentity;
}

/** Connects, holds whoever answers to the pins, and is ready for the first message. Throws what `dial` throws. */
export async function openRemote(options: RemoteOptions): Promise<RemoteServer> {
  const channel = await openChannel(options);
  const remote = new Remote(channel, options);
  try {
    await remote.begin();
  } catch (error) {
    await remote.server.stop(0);
    throw error;
  }
  return remote.server;
}

class Remote {
  readonly server: RemoteServer;
  readonly #channel: Channel;
  readonly #requests: Requests;
  readonly #transport: Streamable | OldTransport;
  readonly #stdout: Readable;
  readonly #stderr: Readable;
  readonly #sweeper: NodeJS.Timeout;
  #taken: (() => void) | null = null;
  #dead: LockkeeperError | null = null;
  #exit: (exit: Exit) => void = () => undefined;
  #stopping: Promise<Exit> | null = null;

  constructor(channel: Channel, { launch, credentials, tools = {}, limits: own }: RemoteOptions) {
    const limits = { ...LIMITS, ...own };
    this.#channel = channel;
    const url = new URL(launch.url);
    this.#stdout = new Readable({ read: () => this.#requests.resume() });
    this.#stdout.on('error', () => undefined);
    this.#stderr = new Readable({ read: () => undefined });
    this.#requests = new Requests({
      ...{ channel, credentials, limits, origin: url.origin },
      drained: () => this.#drain(),
    });
    const out: Outlet = {
      line: (bytes) => this.#line(bytes),
      die: (error) => this.#die(error),
      note: (text) => void this.#stderr.push(`${text}\n`),
      free: () => this.#drain(),
      tools,
      limits,
      asides: asides(),
    };
    this.#transport =
      launch.transport === 'http-sse'
        ? new OldTransport(url, this.#requests, out)
        : new Streamable(url.pathname, this.#requests, out);
    this.#sweeper = setInterval(() => {
      const now = performance.now();
      this.#requests.sweep(now);
      this.#channel.sweep(now);
      this.#transport.sweep(now);
    }, limits.sweepMs).unref();
    const exited = new Promise<Exit>((resolve) => {
      this.#exit = resolve;
    });
    const { identity } = channel.first;
    const [stdout, stderr] = [this.#stdout, this.#stderr];
    const isolation = isolationOf(channel, launch);
    const stop = (graceMs: number): Promise<Exit> => this.#stop(graceMs, exited);
    this.server = {
      driver: 'remote',
      stdin: this.#stdin(),
      stdout,
      stderr,
      exited,
      isolation,
      stop,
      identity,
    };
  }

  /** Throws what ended it before anybody listened. */
  async begin(): Promise<void> {
    if (this.#transport instanceof OldTransport) await this.#transport.begin();
    if (this.#dead) throw this.#dead;
  }

  /** Each write is one message with its newline. */
  #stdin(): Writable {
    const taken = (done: () => void): void => {
      this.#taken = done;
      this.#drain();
    };
    const stdin = new Writable({
      write: (chunk: Buffer, _, done) => {
        this.#take(chunk);
        taken(done);
      },
      writev: (chunks, done) => {
        for (const { chunk } of chunks) this.#take(chunk as Buffer);
        taken(done);
      },
    });
    return stdin.on('error', () => undefined);
  }

  #take(chunk: Buffer): void {
    try {
      this.#transport.take(saidOf(chunk.at(-1) === 10 ? chunk.subarray(0, -1) : chunk));
    } catch (error) {
      this.#die(asLockkeeperError(error));
    }
  }

  #drain(): void {
    if (this.#taken === null || this.#transport.isWaiting || this.#requests.bytes >= MOST_BYTES) return;
    const taken = this.#taken;
    this.#taken = null;
    taken();
  }

  #line(bytes: Buffer): void {
    if (this.#stdout.destroyed || bytes.length === 0) return;
    if (bytes.length > TOGETHER_BYTES) this.#stdout.push(bytes);
    if (!this.#stdout.push(bytes.length > TOGETHER_BYTES ? NEWLINE : Buffer.concat([bytes, NEWLINE])))
      this.#requests.pause();
  }

  /** Whoever listens hears why. */
  #die(error: LockkeeperError): void {
    this.#dead ??= error;
    this.#stdout.destroy(error);
    void this.#end({ code: 1, signal: null });
  }

  async #end(exit: Exit): Promise<void> {
    clearInterval(this.#sweeper);
    this.#requests.abortAll();
    await this.#channel.destroy();
    if (!this.#stdout.destroyed) this.#stdout.push(null);
    this.#stderr.push(null);
    this.#exit(exit);
  }

  #stop(graceMs: number, exited: Promise<Exit>): Promise<Exit> {
    this.#stopping ??= this.#leave(graceMs).then(() => exited);
    return this.#stopping;
  }

  async #leave(graceMs: number): Promise<void> {
    const ms = Math.min(graceMs, LEAVE_MS);
    this.#stdout.resume();
    this.#stderr.resume();
    if (ms > 0) await inTime(this.#transport.leave(), ms);
    await this.#end({ code: 0, signal: null });
  }
}

function isolationOf(
  { first }: Channel,
  { url, transport }: RemoteOptions['launch'],
): RunningServer['isolation'] {
  const { leaf, issuer } = first.identity;
  return {
    driver: 'remote',
    host: hostPortOf(url),
    transport,
    address: first.address,
    tls: first.socket.getProtocol() ?? '(unknown)',
    leaf,
    issuer: issuer ?? '(not shown)',
  };
}
