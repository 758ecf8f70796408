/** A company whose one server, `echo`, is published, approved and asked for; the lock is left to whoever needs it. */
import { chmodSync } from 'node:fs';
import { type Company, foundCompany } from '../../cli/drill/company.ts';
import { plain } from '../scanner/harness.ts';
import { startNpmRegistry } from './npm-registry.ts';

export interface EchoCompany {
  readonly company: Company;
  close(): Promise<void>;
}

/** Adds a person to a company and signs them in on a machine of their own. */
export async function joins(company: Company, person: string, roles: string): Promise<void> {
  const { code } = await company.must('admin', 'people', 'add', person, '--roles', roles);
  await company.must(person, 'login', company.url, '--code', String(code));
}

/** Alice reviews and audits, erin develops; the project stands in `dir`/project. */
export async function foundEcho(dir: string, more: { database?: string } = {}): Promise<EchoCompany> {
  chmodSync(dir, 0o755);
  const tool = { name: 'echo', description: 'Echo', inputSchema: { type: 'object' } };
  const npm = await startNpmRegistry([plain({ tools: [tool] }, { name: '@acme/echo' })]);
  const environment = process.env;
  const company = await foundCompany({ dir, npmRegistry: npm.url, environment, trial: true, ...more });
  for (const [person, roles] of [
    ['alice', 'reviewer,auditor'],
    ['erin', 'developer'],
  ] as const) {
    await joins(company, person, roles);
  }
  for (const verb of ['new', 'enrol']) await company.must('alice', 'keys', verb);
  await company.must('admin', 'publish', 'npm:@acme/echo@1.0.0');
  const accept = ['LK-MNT-01', 'LK-REL-01', 'LK-ART-02'].flatMap((id) => ['--accept', `${id}=looked at`]);
  const first = await company.lk('alice', 'approve', 'echo');
  if (first.exit !== 0) await company.must('alice', 'approve', 'echo', ...accept);
  await company.must('erin', 'add', 'echo');
  return {
    company,
    close: async () => {
      await company.close();
      await npm.close();
    },
  };
}
