/** A company whose one server, `echo`, and others like it, are published, approved and asked for; the lock is left to whoever needs it. */
import { chmodSync } from 'node:fs';
import { type Company, foundCompany } from '../../cli/drill/company.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { plain } from '../scanner/harness.ts';
import { here } from './here.ts';
import { startNpmRegistry } from './npm-registry.ts';

const ECHO: JsonObject = { name: 'echo', description: 'Echo', inputSchema: { type: 'object' } };

export interface EchoCompany {
  readonly company: Company;
  close(): Promise<void>;
}

/** Adds a person to a company and signs them in on a machine of their own. */
export async function joins(company: Company, person: string, roles: string): Promise<void> {
  const { code } = await company.must('admin', 'people', 'add', person, '--roles', roles);
  await company.must(person, 'login', company.url, '--code', String(code));
}

/** Alice reviews and audits, erin develops; the project stands in `dir`/project. `tools`: of every server. */
export async function foundEcho(
  dir: string,
  {
    also = [],
    tools = [ECHO],
    ...more
  }: { database?: string; also?: readonly string[]; tools?: readonly JsonObject[] } = {},
): Promise<EchoCompany> {
  const names = ['echo', ...also];
  chmodSync(dir, 0o755);
  const packages = names.map((name) =>
    plain({ tools: [...tools], says: `${name} listens` }, { name: `@acme/${name}` }),
  );
  const npm = await startNpmRegistry(packages);
  const founding = { dir, npmRegistry: npm.url, environment: process.env, trial: true, speaks: here };
  const company = await foundCompany({ ...founding, ...more });
  for (const [person, roles] of [
    ['alice', 'reviewer,auditor'],
    ['erin', 'developer'],
  ] as const) {
    await joins(company, person, roles);
  }
  for (const verb of ['new', 'enrol']) await company.must('alice', 'keys', verb);
  const accept = ['LK-MNT-01', 'LK-REL-01', 'LK-ART-02'].flatMap((id) => ['--accept', `${id}=looked at`]);
  for (const name of names) {
    await company.must('admin', 'publish', `npm:@acme/${name}@1.0.0`);
    const first = await company.lk('alice', 'approve', name);
    if (first.exit !== 0) await company.must('alice', 'approve', name, ...accept);
    await company.must('erin', 'add', name);
  }
  return {
    company,
    close: async () => {
      await company.close();
      await npm.close();
    },
  };
}
