/** What runs on this machine for this person: one small file an instance, written whole, judged by the process behind it. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Instance } from '../runtime/fleet.ts';
import { writeView } from '../runtime/store/atomic.ts';
import { namesIn, readIfThere } from '../runtime/store/there.ts';
import { Closed } from '../schemas/common.ts';
import { FleetInstance } from '../schemas/fleet.ts';
import { parseStrict } from '../schemas/json.ts';
import { type Static, type TSchema, Type } from '../schemas/type.ts';
import { isValid } from '../schemas/validate.ts';
import { isThere, PROCESS, type Process, processOf, sweepProcesses, thisProcess } from './presence.ts';

const InstanceFile = Closed({
  lockkeeper: Type.Literal('instance/v2'),
  ...PROCESS,
  alias: Type.String({ maxLength: 200 }),
  calls: Type.Integer({ minimum: 0 }),
  instance: FleetInstance,
});
type InstanceFile = Static<typeof InstanceFile>;

/** An instance as `lk ps` shows it; `gone`: its runtime ended without a word. */
export interface HostInstance extends Instance, Process {
  readonly gone: boolean;
}

const folderOf = (home: string): string => join(home, 'instances');
const pathOf = (home: string, id: string): string => join(folderOf(home), `${id}.json`);

/** Replaces what is known of the instance. For this process's own. */
export async function writeInstance(home: string, { alias, calls, ...instance }: Instance): Promise<void> {
  const file: InstanceFile = { lockkeeper: 'instance/v2', ...thisProcess(home), alias, calls, instance };
  await mkdir(folderOf(home), { recursive: true, mode: 0o700 });
  await writeView(pathOf(home, instance.id), `${JSON.stringify(file)}\n`);
}

export async function removeInstance(home: string, id: string): Promise<void> {
  await rm(pathOf(home, id), { force: true });
}

/** By alias. What is gone is told once and forgotten; what is no such file is left alone. */
export async function readInstances(home: string): Promise<HostInstance[]> {
  const found: HostInstance[] = [];
  for (const { name, file } of await readViews(folderOf(home), InstanceFile)) {
    if (`${file.instance.id}.json` !== name) continue;
    const gone = !isThere(home, file);
    if (gone) await removeInstance(home, file.instance.id);
    const { alias, calls } = file;
    found.push({ ...file.instance, alias, calls, ...processOf(file), gone });
  }
  await sweepProcesses(home);
  return found.sort((a, b) => a.alias.localeCompare(b.alias) || a.pid - b.pid);
}

/** The files of such a folder that are what they should be. */
export async function readViews<S extends TSchema>(
  folder: string,
  schema: S,
): Promise<{ readonly name: string; readonly file: Static<S> }[]> {
  const found: { name: string; file: Static<S> }[] = [];
  for (const name of await namesIn(folder)) {
    if (!/^[A-Za-z0-9._-]{1,64}\.json$/.test(name)) continue;
    try {
      const file = parseStrict((await readIfThere(join(folder, name))) ?? '');
      if (isValid(schema, file)) found.push({ name, file });
    } catch {
      // No such file: left alone.
    }
  }
  return found;
}
