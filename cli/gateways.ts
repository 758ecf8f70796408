/** The gateways of this machine, for this person: one small file a process, also while it keeps no server. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeView } from '../runtime/store/atomic.ts';
import { Closed, Instant } from '../schemas/common.ts';
import { type Static, Type } from '../schemas/type.ts';
import { readViews } from './instances.ts';
import { isThere, PROCESS, type Process, processOf, thisProcess } from './presence.ts';

const GatewayFile = Closed({
  lockkeeper: Type.Literal('running-gateway/v2'),
  ...PROCESS,
  url: Type.String({ maxLength: 2000 }),
  project: Type.String({ maxLength: 200 }),
  lockVersion: Type.Integer({ minimum: 1 }),
  lock: Type.String({ maxLength: 100 }),
  /** Aliases that it serves now. */
  serves: Type.Array(Type.String({ maxLength: 200 })),
  since: Instant,
});

/** What a gateway is, to whoever stands at its machine. */
export type KnownGateway = Omit<Static<typeof GatewayFile>, 'lockkeeper' | keyof typeof PROCESS>;

/** A gateway as `lk ps` shows it; `gone`: it ended without a word. */
export interface HostGateway extends KnownGateway, Process {
  readonly gone: boolean;
}

const folderOf = (home: string): string => join(home, 'gateways');
const pathOf = (home: string, held: string): string => join(folderOf(home), `${held}.json`);

/** Replaces what is known of this process. */
export async function writeGateway(home: string, known: KnownGateway): Promise<void> {
  const own = thisProcess(home);
  const file: Static<typeof GatewayFile> = { lockkeeper: 'running-gateway/v2', ...own, ...known };
  await mkdir(folderOf(home), { recursive: true, mode: 0o700 });
  await writeView(pathOf(home, own.held), `${JSON.stringify(file)}\n`);
}

export async function removeGateway(home: string, { held } = thisProcess(home)): Promise<void> {
  await rm(pathOf(home, held), { force: true });
}

/** By process. What is gone is told once and forgotten; what is no such file is left alone. */
export async function readGateways(home: string): Promise<HostGateway[]> {
  const found: HostGateway[] = [];
  for (const { name, file } of await readViews(folderOf(home), GatewayFile)) {
    if (`${file.held}.json` !== name) continue;
    const gone = !isThere(home, file);
    if (gone) await removeGateway(home, file);
    const { lockkeeper: _, space: __, ...known } = file;
    found.push({ ...known, ...processOf(file), gone });
  }
  return found.sort((a, b) => a.pid - b.pid);
}
