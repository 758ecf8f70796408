/** Several callers at once, in every way there is to call, until nobody answers any more. */
import type { JsonObject } from '../../schemas/common.ts';
import { httpClient, messagesOf, stateless } from '../helpers/gateway.ts';

const EACH = 3;

export interface Calling {
  /** Settles once one call was answered, or none will be. */
  readonly first: Promise<void>;
  /** Messages that came back. */
  readonly answered: Set<string>;
  /** What was answered in place of a message while the gateway lived. */
  readonly refused: string[];
  /** Settles when every caller has given up. */
  readonly over: Promise<void>;
}

type Ask = (id: number, message: string) => Promise<JsonObject | undefined>;

/** `prefix` makes every message of this life one of its own. */
export function beginCalling(url: string, prefix: string): Calling {
  const first = Promise.withResolvers<void>();
  const answered = new Set<string>();
  const refused: string[] = [];
  const call = async (ask: Ask, name: string): Promise<void> => {
    for (let n = 1; ; n++) {
      const message = `${prefix}-${name}-${n}`;
      const answer = await ask(n, message);
      if (JSON.stringify(answer?.result ?? null).includes(message)) answered.add(message);
      else refused.push(JSON.stringify(answer));
      first.resolve();
    }
  };
  const loops = callers(url).map(async ({ name, open }) => {
    try {
      const ask = await open();
      const lanes = Array.from({ length: EACH }, (_, lane) =>
        call((n, message) => ask(n * EACH + lane, message), `${name}${lane}`),
      );
      await Promise.all(lanes);
    } catch {
      // The gateway was killed.
    }
  });
  const over = Promise.all(loops).then(() => first.resolve());
  return { first: first.promise, answered, refused, over };
}

function callers(url: string): { name: string; open: () => Promise<Ask> }[] {
  const session = (name: string, path: string, tool: (n: number) => string) => ({
    name,
    open: async (): Promise<Ask> => {
      const client = await httpClient(`${url}${path}`, { 'x-user': name });
      return async (id, message) =>
        (await client.request(id, 'tools/call', { name: tool(id), arguments: { message } })).at(-1);
    },
  });
  const alone = async (id: number, message: string): Promise<JsonObject | undefined> => {
    const params = { name: 'echo', arguments: { message } };
    const asked = { id, method: 'tools/call', params };
    return (await messagesOf(await stateless(`${url}/servers/weather/mcp`, asked, { 'x-user': 'cleo' }))).at(
      -1,
    );
  };
  return [
    session('ada', '/servers/weather/mcp', () => 'echo'),
    session('bob', '/servers/docs/mcp', () => 'echo'),
    session('dora', '/mcp', (n) => (n % 2 === 0 ? 'docs__echo' : 'weather__echo')),
    { name: 'cleo', open: async () => alone },
  ];
}
