/** The table as a command: every client by each face before each server, one after the other, one table or one object. */
import { randomBytes } from 'node:crypto';
import { table } from '../../cli/output.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import { asked, counting, type Streams } from '../helpers/show.ts';
import { clients } from './all.ts';
import { type Client, type Face, facesOf } from './client.ts';
import { installed } from './install.ts';
import { callIn, endOf, judge, nameOf, type Row } from './judge.ts';
import { type Model, openModel } from './model.ts';
import { visit } from './visit.ts';
import { openWorld, SERVERS, type ServerAlias, type World } from './world.ts';

/** Milliseconds that records may come after the client has ended. */
const RECORDS = 20_000;

export interface Stage {
  readonly world: World;
  readonly model: Model;
  close(): Promise<void>;
}

export async function openStage(say: (line: string) => void): Promise<Stage> {
  const model = await openModel();
  try {
    const world = await openWorld(say);
    return { world, model, close: async () => void (await Promise.all([world.close(), model.close()])) };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** One client by one face before one server, judged. `said` tells what it printed where the row does not hold. */
export async function takeOne(
  { world, model }: Stage,
  client: Client,
  at: { readonly modules: string; readonly face: Face; readonly server: ServerAlias },
): Promise<{ row: Row; said: string }> {
  const message = `m${randomBytes(6).toString('hex')}`;
  const before = model.beyond.length;
  const { began, said, exit } = await visit(client, { world, model, ...at, message });
  const records = await settled(world, began, message);
  const beyond = [...new Set(model.beyond.slice(before))];
  const row = judge({ client, ...at, message, said, records, beyond });
  const tail = `exit ${exit}\n${said.slice(-1500)}\n${model.asked.slice(-5).join('\n')}`;
  return { row, said: tail };
}

/** The records of a run; waits for the end of its call. */
async function settled(world: World, since: Date, message: string): Promise<AuditBody[]> {
  const until = performance.now() + RECORDS;
  for (;;) {
    const records = await world.records(since);
    const call = callIn(records, message);
    if ((call && endOf(records, call)) || performance.now() > until) return records;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Returns the exit code: 0 if every row holds or is explained, 1 if one does not, 2 for words it does not know. */
export async function runTable(words: readonly string[], streams: Streams): Promise<number> {
  const want = asked(words, { name: 'clients', of: 'the clients', names: clients.map(nameOf) }, streams);
  if (typeof want === 'number') return want;
  const { json } = want;
  const { out, say } = streams;
  const chosen = clients.filter((client) => want.isWanted(nameOf(client)));
  const began = performance.now();
  const modules = new Map<Client, string>();
  for (const client of chosen) modules.set(client, await installed(client, say));
  const stage = await openStage(say);
  const rows: Row[] = [];
  const places = chosen.flatMap((client) =>
    SERVERS.flatMap((server) => facesOf(client, server).map((face) => ({ client, face, server }))),
  );
  const tell = counting(say, places.length);
  try {
    for (const { client, face, server } of places) {
      tell(`${nameOf(client)}, ${face}, ${server}`);
      const at = { modules: modules.get(client) ?? '', face, server };
      const { row, said } = await takeOne(stage, client, at);
      if (row.wrong.length > 0) say(`${row.wrong.join('; ')}\n${said}`);
      rows.push(row);
    }
  } finally {
    await stage.close();
  }
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const ok = rows.every(({ wrong }) => wrong.length === 0);
  out(
    json
      ? `${JSON.stringify({ conclusion: ok ? 'ok' : 'broken', seconds, rows })}\n`
      : `${textOf(rows, seconds)}\n`,
  );
  return ok ? 0 : 1;
}

function textOf(rows: readonly Row[], seconds: number): string {
  const shown = rows.map((row) => [
    row.client,
    row.version,
    row.face,
    row.server,
    row.opened,
    row.era,
    row.listed ? 'yes' : 'NO',
    row.called ? 'yes' : 'NO',
    row.recorded,
    row.wrong.length > 0 ? `NO: ${row.wrong.join('; ')}` : row.explained.length > 0 ? 'explained' : 'yes',
  ]);
  const heads = ['CLIENT', 'VERSION', 'FACE', 'SERVER', 'OPENED WITH', 'ERA', 'LISTED', 'CALLED', 'RECORDED'];
  const reasons = rows.flatMap(({ client, face, server, explained }) =>
    explained.map((why) => `${client}, ${face}, ${server}: ${why}`),
  );
  const wished = new Set(
    rows.flatMap(({ client, beyond }) =>
      beyond.map((host) => `${client} wanted to reach ${host}, and was not let.`),
    ),
  );
  const count = rows.filter(({ wrong }) => wrong.length > 0).length;
  return [
    table([...heads, 'HOLDS'], shown),
    '',
    ...reasons,
    ...wished,
    count === 0
      ? `All ${rows.length} made their call and are in the journal (${seconds} s).`
      : `${count} of ${rows.length} do not hold (${seconds} s).`,
  ].join('\n');
}
