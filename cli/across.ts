/** What the servers of a lock are together, for the gate's output. */
import { join } from 'node:path';
import { surfaceOf } from '../runtime/prepare.ts';
import { openBlobs } from '../runtime/store/blobs.ts';
import { type Across, across } from '../scanner/across.ts';
import { counted, WIDTH, wrapped } from '../scanner/text.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { Surface } from '../schemas/surface.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';
import type { OpenedProject } from './project.ts';

const SHOWN = 5;
const INDENT = 13;

/** Texts come from the local store, or from the registry where there is one to ask; whose are nowhere is `unread`. */
export async function acrossHere(context: Context, opened: OpenedProject, api: Api | null): Promise<Across> {
  const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
  const surfaces = new Map<string, Surface>();
  for (const [alias, verified] of opened.verified.entries) {
    const surface = await surfaceOf({ verified, blobs, fetch: fetchFrom(api) }).catch((error: unknown) => {
      // It tells and decides nothing: a runtime without these texts, or with others, refuses by itself.
      if (error instanceof LockkeeperError) return null;
      throw error;
    });
    if (surface) surfaces.set(alias, surface);
  }
  const entries = new Map([...opened.verified.entries].map(([alias, { entry }]) => [alias, entry]));
  return across({ entries, surfaces });
}

/** From the registry that is asked; refused where nobody is. */
export function fetchFrom(api: Api | null): (digest: string) => Promise<Buffer> {
  return async (digest) => {
    if (api) return api.blob(digest);
    throw new LockkeeperError('ARTIFACT_MISSING', {
      expected: `the locked texts ${digest} in the local store`,
      found: 'none, and nobody is asked',
      next: 'Run lk ci without --offline once',
    });
  };
}

/** Nothing for a single server, which its own report tells of. */
export function acrossLines(
  { collisions, references, flow, reach, unlabelled, unread }: Across,
  { servers, policy }: { readonly servers: number; readonly policy: boolean },
): string[] {
  if (servers < 2) return [];
  const lines: string[] = [];
  const say = (title: string, words: readonly string[], between = ', '): void => {
    if (words.length === 0) return;
    const more = words.length > SHOWN ? [`and ${words.length - SHOWN} more (--json has all)`] : [];
    const text = [...words.slice(0, SHOWN), ...more].join(between);
    for (const [at, row] of wrapped(text, WIDTH - INDENT).entries())
      lines.push(`  ${(at === 0 ? title : '').padEnd(INDENT - 2)}${row}`);
  };
  const secrets = reach.secrets.map((one) => `secret ${one}`);
  say('Reach', [...reach.hosts, ...reach.files, ...reach.variables, ...secrets]);
  say(
    'Same name',
    collisions.map(({ name, servers: who }) => `${name} of ${who.join(' and ')}`),
  );
  say(
    'Speaks of',
    references.map(({ from, at, to }) => `${from} of ${to} at ${at}`),
  );
  if (flow.closes) {
    say('Untrusted', byServer(flow.untrusted), '; ');
    say('Private', byServer(flow.private), '; ');
    say('Sends out', byServer(flow.out), '; ');
    const hints = unlabelled > 0 ? ` (${counted(unlabelled, 'tool')} without a label by their hints)` : '';
    say('So', [
      `what strangers wrote could ask to send out what is private${hints}: ${policy ? 'the policy of this lock decides' : 'a policy stops it, see docs/policy.md'}`,
    ]);
  }
  say('Not read', unread);
  return lines.length > 0 ? ['', `Together, ${servers} servers:`, ...lines] : [];
}

/** `files: read, list and 3 more`, for tools that are `files/read`. */
function byServer(tools: readonly string[]): string[] {
  const servers = new Map<string, string[]>();
  for (const tool of tools) {
    const at = tool.indexOf('/');
    const server = tool.slice(0, at);
    servers.set(server, [...(servers.get(server) ?? []), tool.slice(at + 1)]);
  }
  return [...servers].map(([server, names]) => {
    const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
    return `${server}: ${names.slice(0, SHOWN).join(', ')}${more}`;
  });
}
