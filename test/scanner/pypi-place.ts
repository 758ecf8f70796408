/** A scanner whose pip knows an index on the loopback alone, and a server on Python to put there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { ScanPorts } from '../../scanner/ports.ts';
import { type PypiOptions, pypiOptionsOf } from '../../scanner/pypi/options.ts';
import { scan } from '../../scanner/scan.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { type Listed, startPypiIndex } from '../helpers/pypi-index.ts';
import { type Wheel, type WheelSpec, wheelOf } from '../helpers/wheels.ts';
import { refusalOf, requestFor, SERVERS, type World, worldOf } from './harness.ts';

export const CODE = readFileSync(join(SERVERS, 'plain.py'), 'utf8');
export const SOURCE = { source: 'pypi:acme-time@1.0.0', version: '1.0.0', name: 'pypi/acme-time' };

/** An honest server that needs no package. */
export function server(more: Partial<WheelSpec> = {}, code = CODE): Wheel {
  const files = { 'acme_time/__init__.py': code, ...more.files };
  return wheelOf({ name: 'acme-time', scripts: { 'acme-time': 'acme_time:main' }, ...more, files });
}

export interface Place extends World {
  readonly ports: ScanPorts;
  readonly refusal: () => Promise<LockkeeperError>;
}

/** What pip says where it is configured by these variables alone. */
function pipWith(variables: Readonly<Record<string, string>>): Promise<PypiOptions> {
  const kept = Object.entries(process.env).filter(([name]) => !/^PIP_(?!CERT)/.test(name));
  return pypiOptionsOf({ ...Object.fromEntries(kept), ...variables });
}

/** A scanner whose pip is configured by these variables alone. */
export async function place(
  variables: Readonly<Record<string, string>>,
  pypi = () => pipWith(variables),
): Promise<Place> {
  const world = await worldOf([]);
  const ports = { ...world.ports, codeDir: inject('codeDir'), pypi };
  return { ...world, ports, refusal: () => refusalOf(scan(requestFor(SOURCE), ports)) };
}

let asked: Promise<PypiOptions> | null = null;

/** What pip says where this is its only index; asked once, as that takes longer than much of what is tested. */
export async function pipOf(index: string): Promise<PypiOptions> {
  asked ??= pipWith({ PIP_INDEX_URL: 'http://127.0.0.1:1/simple' });
  return { ...(await asked), indexes: [index] };
}

/** The same with one index that holds these files. */
export async function served(
  files: readonly Listed[],
  form: 'json' | 'html' = 'json',
): Promise<Place & { index: string }> {
  const { url } = await startPypiIndex(files, { form });
  return { ...(await place({}, () => pipOf(url))), index: url };
}
