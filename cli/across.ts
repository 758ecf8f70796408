/** What the servers of a lock are together, for the gate's output. */
import { join } from 'node:path';
import { surfaceOf } from '../runtime/prepare.ts';
import { openBlobs } from '../runtime/store/blobs.ts';
import { type Across, across } from '../scanner/across.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { Surface } from '../schemas/surface.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';
import { clip, plain } from './output.ts';
import type { OpenedProject } from './project.ts';

const SHOWN = 5;
const WIDTH = 140;

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
  servers: number,
): string[] {
  if (servers < 2) return [];
  const lines: string[] = [];
  const say = (title: string, words: readonly string[]): void => {
    if (words.length === 0) return;
    const more = words.length > SHOWN ? ` and ${words.length - SHOWN} more` : '';
    lines.push(clip(plain(`  ${title.padEnd(11)}${words.slice(0, SHOWN).join(', ')}`), WIDTH) + more);
  };
  say('Reach', [
    ...reach.hosts,
    ...reach.files,
    ...reach.variables,
    ...reach.secrets.map((one) => `secret ${one}`),
  ]);
  say(
    'Same name',
    collisions.map(({ name, servers: who }) => `${name} of ${who.join(' and ')}`),
  );
  say(
    'Speaks of',
    references.map(({ from, at, to }) => `${from} of ${to} at ${at}`),
  );
  if (flow.closes) {
    say('Untrusted', flow.untrusted);
    say('Private', flow.private);
    say('Sends out', flow.out);
    const by = unlabelled > 0 ? ` (${unlabelled} tools without a label count by their hints)` : '';
    lines.push(
      `  What strangers wrote could ask to send out what is private${by}: a policy stops it, see docs/policy.md.`,
    );
  }
  say('Not read', unread);
  return lines.length > 0 ? ['', `Together, ${servers} servers:`, ...lines] : [];
}
