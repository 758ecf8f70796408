/** A package registry for the drill: everything as the ordinary one has it, and one version that an intern published. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import pacote from 'pacote';
import { create } from 'tar';
import { readTarball, type UnpackedFile } from '../../runtime/store/unpack.ts';
import type { NpmOptions } from '../../scanner/ports.ts';

export interface DrillNpm {
  readonly url: string;
  /** Publishes a changed copy of a package under another version. */
  publish(
    from: { name: string; version: string; as: string },
    change: (file: UnpackedFile) => Buffer,
  ): Promise<void>;
  close(): Promise<void>;
}

interface Published {
  readonly name: string;
  readonly version: string;
  readonly manifest: object;
  readonly tarball: Buffer;
}

/** Listens on loopback. Packages it does not have itself are asked of the ordinary registry, as `npm` says. */
export async function startDrillNpm(npm: NpmOptions, workDir: string): Promise<DrillNpm> {
  const own: Published[] = [];
  const server = createServer((request, response) => {
    void answer(decodeURIComponent(request.url ?? '/').split('?')[0] ?? '/', response, {
      own,
      npm,
      base: `http://${request.headers.host}`,
    }).catch((error: Error & { code?: string }) => {
      response.writeHead(error.code === 'E404' ? 404 : 502).end(error.message);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    publish: async (from, change) => void own.push(await changed(from, change, { npm, workDir })),
    close: () => closeServer(server),
  };
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function answer(
  path: string,
  response: ServerResponse,
  at: { own: readonly Published[]; npm: NpmOptions; base: string },
): Promise<void> {
  const [, name = '', version] = /^\/((?:@[^/]+\/)?[^/]+?)(?:\/-\/tarball-(.+)\.tgz)?$/.exec(path) ?? [];
  if (version !== undefined) {
    const mine = at.own.find((item) => item.name === name && item.version === version);
    response
      .writeHead(200, { 'content-type': 'application/octet-stream' })
      .end(mine?.tarball ?? (await pacote.tarball(`${name}@${version}`, at.npm)));
    return;
  }
  const packument = (await pacote.packument(name, { ...at.npm, fullMetadata: true })) as unknown as {
    versions: Record<string, { dist: { tarball: string } }>;
    time?: Record<string, string>;
  };
  const versions: Record<string, object> = {};
  for (const [key, manifest] of Object.entries(packument.versions)) {
    versions[key] = {
      ...manifest,
      dist: { ...manifest.dist, tarball: `${at.base}/${name}/-/tarball-${key}.tgz` },
    };
  }
  for (const item of at.own.filter((candidate) => candidate.name === name)) {
    versions[item.version] = {
      ...item.manifest,
      dist: {
        tarball: `${at.base}/${name}/-/tarball-${item.version}.tgz`,
        integrity: integrityOf(item.tarball),
      },
    };
  }
  const time = {
    ...packument.time,
    ...Object.fromEntries(
      at.own.filter((item) => item.name === name).map((item) => [item.version, new Date().toISOString()]),
    ),
  };
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ ...packument, versions, time }));
}

function integrityOf(bytes: Buffer): string {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
}

async function changed(
  from: { name: string; version: string; as: string },
  change: (file: UnpackedFile) => Buffer,
  { npm, workDir }: { npm: NpmOptions; workDir: string },
): Promise<Published> {
  const files = await readTarball(await pacote.tarball(`${from.name}@${from.version}`, npm), from.name);
  const dir = await mkdtemp(join(workDir, 'package-'));
  try {
    let manifest: object = {};
    for (const file of files) {
      let bytes = change(file);
      if (file.path === 'package.json') {
        manifest = { ...(JSON.parse(bytes.toString('utf8')) as object), version: from.as };
        bytes = Buffer.from(JSON.stringify(manifest));
      }
      const path = join(dir, 'package', file.path);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes, { mode: file.executable ? 0o755 : 0o644 });
    }
    await create({ cwd: dir, gzip: true, file: join(dir, 'out.tgz'), portable: true }, ['package']);
    return { name: from.name, version: from.as, manifest, tarball: await readFile(join(dir, 'out.tgz')) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
