import { normal } from '../../runtime/content/normal.ts';
import type { JsonObject } from '../../schemas/common.ts';
import type { Severity } from '../../schemas/finding.ts';
import { pointerOf } from '../../schemas/surface.ts';
import type { Peer } from '../ports.ts';
import { readingOf } from '../reading/passages.ts';
import { excerpt, finding, firedOr, gravest, ok, type SurfaceCheck, unknown } from './check.ts';

type Told = ReturnType<typeof finding>;

/** What stands between a server and those beside it: tools that take another's place, texts that speak of another's tools. */
export const shadowing: SurfaceCheck = {
  id: 'LK-TXT-04',
  title: 'No tool stands in the place of another server',
  owasp: 'MCP09',
  run: (facts) => {
    const { peers, surface } = facts;
    if (peers === undefined) return unknown('nobody said which servers stand beside it');
    if (peers.length === 0) return ok('no server stands beside it');
    const beside = new Beside(peers);
    const findings = Object.entries(surface.tools).flatMap(([name, tool]) => beside.takenBy(name, tool));
    const own = new Set(Object.keys(surface.tools).map(fold));
    for (const { at, plain } of readingOf(facts).passages) {
      const spoken = beside.namedIn(plain, own);
      if (spoken === null) continue;
      findings.push(
        finding('medium', `${at} speaks of ${spoken.name}, a tool of ${spoken.server}`, [
          { kind: 'text', at, excerpt: excerpt(plain, plain.indexOf(spoken.name)) },
        ]),
      );
    }
    return firedOr(gravest(findings), `${peers.length} servers beside it`);
  },
};

interface Known {
  readonly server: string;
  readonly name: string;
  readonly words: ReadonlySet<string>;
}

/** Names as they look: letters of other alphabets, case and separators do not tell them apart. */
const fold = (name: string): string => normal(name).replace(/[\W_]/g, '').toLowerCase();
const AFFIX =
  '(?:v\\d+|new|secure|safe|pro|plus|enhanced|improved|official|better|copy|fixed|updated|fast|real|verified|trusted|my|the|\\d+)';
const bare = (name: string): string => {
  const plain = normal(name)
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return fold(plain.replace(new RegExp(`^(?:${AFFIX}[_\\W]+)+|(?:[_\\W]+${AFFIX})+$`, 'g'), ''));
};

/** Share of words that two descriptions have in common, from which on they say the same. */
const ALIKE = 0.5;

class Beside {
  readonly #byName = new Map<string, Known>();
  readonly #byBare = new Map<string, Known>();

  constructor(peers: readonly Peer[]) {
    for (const { server, tools } of peers) {
      for (const [name, tool] of Object.entries(tools)) {
        const known = { server, name, words: wordsOf(tool) };
        this.#byName.set(fold(name), known);
        this.#byBare.set(bare(name), known);
      }
    }
  }

  /** A tool that is named as another's, or nearly so and says the same. */
  takenBy(name: string, tool: JsonObject): Told[] {
    const same = this.#byName.get(fold(name));
    const near = this.#byBare.get(bare(name));
    const other = same ?? near;
    if (other === undefined) return [];
    const alike = likeness(wordsOf(tool), other.words) >= ALIKE;
    if (!same && !alike) return [];
    const disguised = same !== undefined && same.name !== name;
    const severity: Severity = disguised ? 'high' : alike ? 'medium' : 'low';
    const how = disguised ? 'looks like' : same ? 'is named as' : 'is named nearly as';
    return [
      finding(
        severity,
        `${name} ${how} ${other.name} of ${other.server}${alike ? ' and says the same' : ''}`,
        [{ kind: 'text', at: pointerOf('tools', name), excerpt: other.name }],
      ),
    ];
  }

  /** The first tool of another server that a text names; names of one plain word are words. */
  namedIn(text: string, own: ReadonlySet<string>): Known | null {
    for (const [name] of text.matchAll(/[A-Za-z][\w-]*[_-][\w-]+|[a-z]+[A-Z]\w+/g)) {
      const known = this.#byName.get(fold(name));
      if (known && !own.has(fold(name))) return known;
    }
    return null;
  }
}

function wordsOf(tool: JsonObject): Set<string> {
  const text = typeof tool.description === 'string' ? tool.description.slice(0, 4000) : '';
  return new Set(
    normal(text)
      .toLowerCase()
      .match(/[a-z]{3,}/g) ?? [],
  );
}

function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (a.size === 0 || b.size === 0) return 0;
  return a.intersection(b).size / Math.min(a.size, b.size);
}
