/** GitHub's API on the loopback, gone with the test that asked for it. */
import { onTestFinished } from 'vitest';
import { type FakeGithub, openFakeGithub, type RepositorySpec } from './github-server.ts';

export { COMMIT, type FakeGithub, type RepositorySpec } from './github-server.ts';

export async function startGithub(
  spec: RepositorySpec = {},
  before: readonly string[] = [],
): Promise<FakeGithub> {
  const fake = await openFakeGithub(spec, before);
  onTestFinished(() => fake.close());
  return fake;
}
