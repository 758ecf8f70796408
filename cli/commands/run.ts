import { NOBODY_TO_ASK } from '../../runtime/gate/people.ts';
import { closeInherited } from '../../runtime/isolation/descriptors.ts';
import { runLocked } from '../../runtime/run.ts';
import { CALL_MS } from '../../runtime/session/overdue.ts';
import { runsUntil } from '../../runtime/trust/freshness.ts';
import { callApprovalsOf } from '../call-approvals.ts';
import { type Command, option, whole } from '../command.ts';
import { readContentControls } from '../content-config.ts';
import { tellOf } from '../fleet.ts';
import { remembering } from '../heard.ts';
import { droppedSentence } from '../policy-file.ts';
import { remember } from '../project.ts';
import { revocationsOf } from '../revocations.ts';
import { entryNamed, instanceOf, openRuntime, RUNTIME_OPTIONS } from '../runtime.ts';

export const run: Command = {
  summary: 'start a locked server for an MCP client over stdio, isolated and recorded',
  words: 'ALIAS',
  options: {
    ...RUNTIME_OPTIONS,
    'call-seconds': option.text('a call without an answer or progress for so long is over (default 300)'),
  },
  examples: [
    'lk run filesystem',
    'claude mcp add docs -- lk run filesystem --project /srv/docs',
    'npx @modelcontextprotocol/inspector --cli lk run filesystem --method tools/list',
  ],
  arity: [1, 1],
  async run(context, [alias = ''], values) {
    closeInherited();
    const callMs =
      whole(values, 'call-seconds', { verb: 'run', most: 86_400, unsaid: CALL_MS / 1000 }) * 1000;
    const content = await readContentControls(context.config.content);
    const runtime = await openRuntime(context, values, ({ verified }) => [entryNamed(verified, alias)]);
    const { opened, api, around, person, journal, fleet, say } = runtime;
    const place = { home: context.home, registry: opened.intent.registry, say };
    try {
      const { lock, digest, trusted } = opened.verified;
      const expires = runsUntil(lock, trusted);
      const verified = entryNamed(opened.verified, alias);
      await remember(context, opened.intent, opened.verified);
      if (lock.policyDropped) say(`this lock carries no policy: ${droppedSentence(lock.policyDropped)}`);
      const credentials = await runtime.signedIn(alias, verified.entry.launch);
      const instance = instanceOf(opened, { alias, user: person.user, driver: around.driver });
      const end = await runLocked({
        ...runtime.prepareOptions(verified, digest),
        ...around,
        ...(credentials === undefined ? {} : { credentials }),
        hears: runtime.logs.of(instance),
        trusted,
        revocations: api && remembering(revocationsOf(api, { say }), place),
        onRevoke: runtime.onRevoke,
        lockExpires: () => expires,
        caller: person,
        lock,
        alias,
        approvals: api ? callApprovalsOf({ api, trusted, say }) : NOBODY_TO_ASK,
        journal,
        memories: runtime.memories,
        client: { input: process.stdin, output: process.stdout },
        say,
        stop: runtime.stop,
        content,
        callMs,
        telemetry: runtime.telemetry.sessions,
        ...tellOf(fleet, instance),
      });
      if (end.error && end.reason !== 'client closed') throw end.error;
    } finally {
      await runtime.close();
    }
    process.exitCode = 0;
    return null;
  },
};
