import { writeAtomic } from '../../runtime/store/atomic.ts';
import { LockView } from '../../schemas/api.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Lock, lockDigest, parseLockFile, renderLockFile } from '../../schemas/lock.ts';
import { type Command, flag, option } from '../command.ts';
import { minute, plain } from '../output.ts';
import { assertPinned } from '../pins.ts';
import { assertKept, assertPolicy, readPolicyFile } from '../policy-file.ts';
import { projectOf, readIntent, readLockBytes, remember, verifyHere } from '../project.ts';

export const lock: Command = {
  summary: 'resolve lockkeeper.json to a signed mcp.lock',
  words: '',
  options: {
    'drop-policy': option.flag(
      'lock without a policy though the lock before carries one; the lock says who said so',
    ),
  },
  examples: ['lk lock', 'lk lock --project ./service --json', 'lk lock --drop-policy'],
  arity: [0, 0],
  async run(context, _words, values) {
    const project = projectOf(context, values);
    const intent = await readIntent(project);
    await assertPinned(context, intent);
    const before = await readLockBytes(project)
      .then((bytes) => parseLockFile(bytes).lock)
      .catch((error: unknown) => {
        if (!(error instanceof LockkeeperError) || error.code === 'DOCUMENT_FOREIGN') throw error;
        if (error.code !== 'LOCK_MISSING')
          context.say(`lk: ${project.lockPath} is made anew: ${error.message}`);
        return null;
      });
    const policy = await readPolicyFile(project);
    const drop = flag(values, 'drop-policy');
    assertKept(before, policy, drop);
    const api = await context.api(intent.registry);
    const previous = before ? lockDigest(before) : null;
    const said = { ...(policy === null ? {} : { policy }), ...(drop ? { dropPolicy: true } : {}) };
    const body = { intent, previous, ...said };
    const view = await api.call('lock', LockView, { body });
    const text = renderLockFile(view.file);
    const verified = await verifyHere(context, { intent, bytes: Buffer.from(text) }, { ask: true });
    await assertPolicy(verified.lock, policy);
    await writeAtomic(project.lockPath, text);
    await remember(context, intent, verified);
    const changes = changesBetween(before, verified.lock);
    const warning = verified.lock.warning ? `\n${context.paint.yellow(verified.lock.warning)}` : '';
    return {
      data: {
        path: project.lockPath,
        version: verified.lock.version,
        digest: verified.digest,
        expires: verified.lock.expires,
        changes,
        warning: verified.lock.warning ?? null,
      },
      text: `${[`Wrote ${project.lockPath}: version ${verified.lock.version}, valid until ${minute(verified.lock.expires)} UTC.`, ...changes.map((line) => `  ${line}`)].join('\n')}${warning}\nNext: lk ci. A client starts: ${startOf(verified.lock, project.dir)}`,
    };
  },
};

/** What stands in a client's file for a server of this lock. */
function startOf({ servers }: Lock, dir: string): string {
  const [alias = 'ALIAS', other] = Object.keys(servers);
  return `lk run ${other === undefined ? alias : 'ALIAS'} --project ${plain(dir)}`;
}

function changesBetween(before: Lock | null, after: Lock): string[] {
  const policies = [before?.policy?.digest, after.policy?.digest];
  const policy =
    policies[0] === policies[1]
      ? []
      : [after.policy ? (policies[0] ? '~ policy' : '+ policy') : '- policy: every locked tool is allowed'];
  const aliases = new Set([...Object.keys(before?.servers ?? {}), ...Object.keys(after.servers)]);
  const servers = [...aliases].sort().flatMap((alias) => {
    const a = before?.servers[alias];
    const b = after.servers[alias];
    if (!b) return [`- ${alias} ${a?.version ?? ''}`];
    const tools = `${Object.keys(b.surface.tools).length} tools, ${b.closure.artifacts.length} artifacts`;
    if (!a) return [`+ ${alias} ${b.version} (${tools})`];
    if (a.version !== b.version) return [`~ ${alias} ${a.version} -> ${b.version} (${tools})`];
    return [`= ${alias} ${b.version}`];
  });
  return before || after.policy ? [...servers, ...policy] : servers;
}
