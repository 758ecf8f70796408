import { openBlobs } from '../../runtime/store/blobs.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Command, flag, option } from '../command.ts';
import { minute, table } from '../output.ts';
import { openProject, projectOf } from '../project.ts';

export const verify: Command = {
  summary: 'verify mcp.lock by itself, without asking anybody',
  words: '',
  options: {
    offline: option.flag('open no socket; so it always is, and a pipeline may want to read it'),
    artifacts: option.flag(
      'also re-hash every artifact in the local store; a missing one cannot be verified (exit 4)',
    ),
  },
  examples: ['lk verify', 'lk verify --offline --artifacts --json'],
  arity: [0, 0],
  async run(context, _words, values) {
    const { verified } = await openProject(context, projectOf(context, values));
    const servers = [];
    const hashes = flag(values, 'artifacts');
    for (const [alias, { entry, approvedBy }] of verified.entries) {
      const artifacts = hashes ? await hashAll(context.home.storeDir, entry.closure.artifacts) : null;
      servers.push({ alias, server: entry.server, version: entry.version, approvedBy, artifacts });
    }
    const { lock } = verified;
    const rows = servers.map((s) => [
      s.alias,
      s.server,
      s.version,
      s.approvedBy.join(', '),
      ...(s.artifacts === null ? [] : [`${s.artifacts} verified`]),
    ]);
    const head = ['ALIAS', 'SERVER', 'VERSION', 'APPROVED BY', ...(hashes ? ['ARTIFACTS'] : [])];
    return {
      data: {
        conclusion: 'ok',
        version: lock.version,
        digest: verified.digest,
        expires: lock.expires,
        trial: lock.warning !== undefined,
        servers,
      },
      text: `${context.paint.green('ok')}: mcp.lock version ${lock.version} verifies; valid until ${minute(lock.expires)} UTC.${lock.warning ? `\n${context.paint.yellow(lock.warning)}` : ''}\n\n${table(head, rows)}`,
    };
  },
};

/** Re-reads every artifact; the store refuses bytes that are not their digest. Returns how many there are. */
async function hashAll(
  storeDir: string,
  artifacts: readonly { purl: string; sha256: string }[],
): Promise<number> {
  const blobs = await openBlobs(`${storeDir}/blobs`);
  for (const { purl, sha256 } of artifacts) {
    if (await blobs.has(sha256)) await blobs.get(sha256);
    else {
      throw new LockkeeperError('ARTIFACT_MISSING', {
        expected: `${purl} in the local store`,
        found: 'nothing under its digest',
        next: 'Pull it by running the server once: lk run',
      });
    }
  }
  return artifacts.length;
}
