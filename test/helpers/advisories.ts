/** Advisories of the shape that the OSV format has, against packages that do not exist, and a feed to read them from. Every id is made up. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32, deflateRawSync } from 'node:zlib';

export interface Made {
  readonly id: string;
  readonly modified: string;
  readonly [key: string]: unknown;
}

/** A vulnerability as a reviewed advisory database tells it. */
export function ghsa(id: string, name: string, change: Readonly<Record<string, unknown>> = {}): Made {
  return {
    schema_version: '1.7.3',
    id,
    modified: '2026-11-24T10:00:00.123456Z',
    published: '2026-11-20T08:00:00Z',
    aliases: ['CVE-2026-00000'],
    summary: `${name} reads outside its folder`,
    details: 'A made-up record for tests.',
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N' }],
    affected: [
      {
        package: { ecosystem: 'npm', name, purl: `pkg:npm/${name}` },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.2.4' }] }],
        database_specific: { source: 'made up' },
      },
    ],
    references: [{ type: 'WEB', url: 'https://advisories.example/made-up' }],
    database_specific: { severity: 'HIGH', github_reviewed: true, cwe_ids: ['CWE-22'] },
    ...change,
  };
}

/** Malware as a list of malicious packages tells it. */
export function mal(
  id: string,
  name: string,
  versions: readonly string[],
  change: Readonly<Record<string, unknown>> = {},
): Made {
  return {
    modified: '2026-11-24T11:00:00Z',
    published: '2026-11-24T11:00:00Z',
    schema_version: '1.7.4',
    id,
    summary: `Malicious code in ${name} (npm)`,
    details: 'A made-up record for tests.',
    affected: [
      { package: { ecosystem: 'npm', name }, versions, database_specific: { cwes: [{ cweId: 'CWE-506' }] } },
    ],
    credits: [{ name: 'nobody', type: 'FINDER' }],
    database_specific: {
      'malicious-packages-origins': [
        { source: 'made-up', sha256: '0'.repeat(64), versions, modified_time: '2026-11-24T11:00:00Z' },
      ],
    },
    ...change,
  };
}

const STORED = 0;

export interface ZipFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** What the archive says, where that is not the truth. */
  readonly says?: {
    readonly size?: number;
    readonly crc?: number;
    readonly flags?: number;
    readonly method?: number;
  };
  /** Takes the bytes of the entry before it. */
  readonly shares?: boolean;
}

/** A zip of these files; with `sixtyFour` it counts its entries as archives of more than 65,535 do. */
export function zipOf(files: readonly ZipFile[], sixtyFour = false): Buffer {
  const [parts, central]: [Buffer[], Buffer[]] = [[], []];
  let [at, last] = [0, 0];
  let data: Buffer = Buffer.alloc(0);
  for (const { name, bytes, says = {}, shares = false } of files) {
    if (!shares) data = says.method === STORED ? bytes : deflateRawSync(bytes);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(says.flags ?? 0, 6);
    head.writeUInt16LE(says.method ?? 8, 8);
    head.writeUInt32LE(says.crc ?? crc32(bytes), 14);
    head.writeUInt32LE(data.length, 18);
    head.writeUInt32LE(says.size ?? bytes.length, 22);
    head.writeUInt16LE(name.length, 26);
    if (!shares) {
      last = at;
      parts.push(head, Buffer.from(name, 'latin1'), data);
      at += 30 + name.length + data.length;
    }
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    head.copy(entry, 8, 6, 28);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(last, 42);
    central.push(entry, Buffer.from(name, 'latin1'));
  }
  const directory = Buffer.concat(central);
  const tail: Buffer[] = [];
  if (sixtyFour) {
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(BigInt(files.length), 24);
    record.writeBigUInt64LE(BigInt(files.length), 32);
    record.writeBigUInt64LE(BigInt(directory.length), 40);
    record.writeBigUInt64LE(BigInt(at), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(at + directory.length), 8);
    tail.push(record, locator);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(sixtyFour ? 0xffff : files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, directory, ...tail, end]);
}

/** Where there may be very many, all but one in a hundred are stored as they are, which is quicker to make and to read. */
export const zipOfRecords = (records: readonly Made[], sixtyFour = false): Buffer =>
  zipOf(
    records.map((record, n) => ({
      name: `${record.id}.json`,
      bytes: Buffer.from(JSON.stringify(record)),
      ...(sixtyFour && n % 100 > 0 ? { says: { method: STORED } } : {}),
    })),
    sixtyFour,
  );

export const listOf = (records: readonly Made[]): string =>
  records.map(({ id, modified }) => `${modified},${id}\n`).join('');

export type Answer = string | Buffer | ((response: ServerResponse) => void);

export interface TestFeed {
  readonly url: string;
  readonly files: Map<string, Answer>;
  /** Paths asked for since the last look. */
  asked(): string[];
  /** Lists these records of npm and has each of them, and all of them in the archive. */
  hold(records: readonly Made[]): void;
  close(): Promise<void>;
}

/** A feed on the loopback that holds what a test says. */
export async function startFeed(): Promise<TestFeed> {
  const files = new Map<string, Answer>();
  let asked: string[] = [];
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const path = decodeURIComponent(request.url ?? '');
    asked.push(path);
    const answer = files.get(path);
    if (answer === undefined) response.writeHead(404).end('none');
    else if (typeof answer === 'function') answer(response);
    else response.writeHead(200).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    asked: () => {
      const seen = asked;
      asked = [];
      return seen;
    },
    hold: (records) => {
      files.clear();
      files.set('/npm/modified_id.csv', listOf(records));
      files.set('/npm/all.zip', zipOfRecords(records));
      for (const record of records) files.set(`/npm/${record.id}.json`, JSON.stringify(record));
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
