/** A real TUF repository on loopback, made with the models of the specification's own library. Every key is made here. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Metadata, Root, Signature, Snapshot, Targets, Timestamp } from '@tufjs/models';

const DAY_MS = 86_400_000;
const ROLES = ['root', 'timestamp', 'snapshot', 'targets', 'npm'] as const;
type RoleName = (typeof ROLES)[number];

type Json = Parameters<typeof Root.fromJSON>[0];

interface Pair {
  readonly id: string;
  readonly key: Json;
  readonly secret: KeyObject;
}

function pair(): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
  const id = createHash('sha256').update(raw).digest('hex');
  return { id, key: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } }, secret: privateKey };
}

export interface Edition {
  readonly version: number;
  readonly files: Readonly<Record<string, Buffer>>;
  /** Days until each role ends; below zero it ended. */
  readonly days?: Partial<Record<RoleName, number>>;
}

/** What one party serves. `answers` may be changed by a test: null is 404. */
export class TufPlace {
  readonly answers = new Map<string, Buffer | null>();
  readonly asked: string[] = [];
  readonly #keys = new Map<RoleName, Pair>(ROLES.map((role) => [role, pair()]));
  readonly #server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    this.asked.push(request.url ?? '');
    if (this.silent) return;
    const found = this.answers.get(request.url ?? '');
    response.writeHead(found ? 200 : 404).end(found ?? '');
  });
  silent = false;
  url = '';

  static async open(): Promise<TufPlace> {
    const place = new TufPlace();
    await new Promise<void>((done) => place.#server.listen(0, '127.0.0.1', done));
    place.url = `http://127.0.0.1:${(place.#server.address() as AddressInfo).port}`;
    return place;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((done) => this.#server.close(() => done()));
  }

  /** Another key for a role: from the next root on it signs in the place of the one before. */
  rotate(role: RoleName): Pair {
    const before = this.#pair(role);
    this.#keys.set(role, pair());
    return before;
  }

  #pair(role: RoleName): Pair {
    const found = this.#keys.get(role);
    if (!found) throw new Error(`no key for ${role}`);
    return found;
  }

  root(version: number, days = 365, by: readonly Pair[] = []): Buffer {
    const pairs = ROLES.filter((role) => role !== 'npm').map((role) => [role, this.#pair(role)] as const);
    const signed = Root.fromJSON({
      ...head('root', version, days),
      consistent_snapshot: true,
      keys: Object.fromEntries(pairs.map(([, { id, key }]) => [id, key])),
      roles: Object.fromEntries(pairs.map(([role, { id }]) => [role, { keyids: [id], threshold: 1 }])),
    });
    return sealed(signed, [this.#pair('root'), ...by]);
  }

  /** Serves this edition: timestamp, snapshot, targets, one delegation for paths below `packages.example/`, and the files. */
  serve({ version, files, days = {} }: Edition): void {
    const listed: Record<'npm' | 'targets', Record<string, Json>> = { npm: {}, targets: {} };
    for (const [path, bytes] of Object.entries(files)) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const role = path.startsWith('packages.example/') ? 'npm' : 'targets';
      listed[role][path] = { length: bytes.length, hashes: { sha256: hash } };
      const at = path.lastIndexOf('/') + 1;
      this.answers.set(`/targets/${path.slice(0, at)}${hash}.${path.slice(at)}`, bytes);
    }
    const { id, key } = this.#pair('npm');
    const paths = ['packages.example/*'];
    const role = { name: 'npm', keyids: [id], threshold: 1, terminating: true, paths };
    const delegations = { keys: { [id]: key }, roles: [role] };
    const npm = { ...head('targets', version, days.npm ?? 90), targets: listed.npm };
    const targets = { ...head('targets', version, days.targets ?? 90), targets: listed.targets, delegations };
    const snapshot = {
      ...head('snapshot', version, days.snapshot ?? 30),
      meta: { 'targets.json': { version }, 'npm.json': { version } },
    };
    const timestamp = {
      ...head('timestamp', version, days.timestamp ?? 7),
      meta: { 'snapshot.json': { version } },
    };
    const put = (path: string, signed: Signed, role: RoleName): void =>
      void this.answers.set(path, sealed(signed, [this.#pair(role)]));
    put('/timestamp.json', Timestamp.fromJSON(timestamp), 'timestamp');
    put(`/${version}.snapshot.json`, Snapshot.fromJSON(snapshot), 'snapshot');
    put(`/${version}.targets.json`, Targets.fromJSON(targets), 'targets');
    put(`/${version}.npm.json`, Targets.fromJSON(npm), 'npm');
  }
}

type Signed = Root | Snapshot | Targets | Timestamp;

function head(type: string, version: number, days: number): Json {
  const expires = new Date(Date.now() + days * DAY_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  return { _type: type, spec_version: '1.0.31', version, expires };
}

function sealed(signed: Signed, by: readonly Pair[]): Buffer {
  const metadata = new Metadata(signed);
  for (const { id, secret } of by)
    metadata.sign(
      (data) => new Signature({ keyID: id, sig: sign(null, data, secret).toString('hex') }),
      true,
    );
  return Buffer.from(JSON.stringify(metadata.toJSON()));
}
