/** A company with two reviewers, a developer, an auditor and one small server that was approved, locked and used. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Company, foundCompany } from '../../cli/drill/company.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { plain } from '../scanner/harness.ts';
import { here } from './here.ts';
import { startNpmRegistry } from './npm-registry.ts';
import { databaseUrl } from './registry.ts';

export const SERVER = 'npm.acme/echo';

export interface Acme {
  readonly dir: string;
  readonly company: Company;
  /** Stops the registry and nothing else. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export async function acme(): Promise<Acme> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-acme-'));
  chmodSync(dir, 0o755);
  const tool = { name: 'echo', description: 'Echo', inputSchema: { type: 'object' } };
  const shown = plain({ tools: [tool] }, { name: '@acme/echo' });
  const code = String(shown.files['index.mjs']).replace("text: 'done'", "text: 'hello'");
  const other = plain({ tools: [tool] }, { name: '@acme/other' });
  const npm = await startNpmRegistry([{ ...shown, files: { ...shown.files, 'index.mjs': code } }, other]);
  const company = await foundCompany({
    dir,
    npmRegistry: npm.url,
    environment: process.env,
    database: await databaseUrl(),
    speaks: here,
  });
  const people = {
    dave: 'publisher',
    alice: 'reviewer',
    bob: 'reviewer',
    erin: 'developer',
    olga: 'auditor',
  };
  for (const [person, roles] of Object.entries(people)) {
    const { code } = await company.must('admin', 'people', 'add', person, '--roles', roles);
    await company.must(person, 'login', company.url, '--code', String(code));
    if (roles === 'reviewer') for (const verb of ['new', 'enrol']) await company.must(person, 'keys', verb);
  }
  await company.must('dave', 'publish', 'npm:@acme/echo@1.0.0');
  const accept = ['LK-MNT-01', 'LK-REL-01', 'LK-ART-02'].flatMap((id) => ['--accept', `${id}=looked at`]);
  for (const person of ['alice', 'bob']) await company.must(person, 'approve', 'echo', ...accept);
  await company.must('erin', 'add', 'echo');
  await company.must('erin', 'lock');
  let running = true;
  const stop = async (): Promise<void> => {
    if (running) await company.close();
    running = false;
  };
  return {
    dir,
    company,
    stop,
    close: async () => {
      await stop();
      await npm.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A call of the one tool. */
export const ECHO: JsonObject = {
  method: 'tools/call',
  params: { name: 'echo', arguments: { text: 'hello' } },
};
