/** Run inside namespaces of its own: tries the rows whose numbers are given, and tells the verdicts as one line of JSON. */
import { egressRows } from './all.ts';
import { hello, names } from './hello.ts';
import { API } from './places.ts';
import { type EgressVerdict, type Found, judgeRow, type Row, type WayName } from './row.ts';
import { say, tunnel, ZONE } from './speak.ts';
import { makeWorld, type World } from './world.ts';

const isRoot = process.argv[2] === 'root';
const chosen = process.argv.slice(3).flatMap((number) => egressRows[Number(number)] ?? []);

async function tried(row: Row, way: WayName, world: World): Promise<Found | Error> {
  return row.run(way, world).catch((error: Error) => error);
}

async function verdictOf(row: Row, world: World): Promise<EgressVerdict> {
  if (row.root === true && !isRoot) {
    const { id, attack, refuses } = row;
    const why = 'without root the sandbox cannot be started inside the little world';
    return {
      row: id,
      attack,
      refuses,
      code: '-',
      verdict: 'explained',
      seen: 'not tried',
      control: 'not tried',
      why,
    };
  }
  const ours = tried(row, 'lockkeeper', world);
  if (row.timed !== true) await ours;
  const bare = tried(row, 'bare', world);
  return judgeRow(row, await ours, await bare);
}

/** What is permitted goes out: where it does not, nothing that is held says anything. */
async function isOpen(world: World): Promise<string | null> {
  await world.load(ZONE);
  const { path, close } = await world.open('lockkeeper');
  await tunnel(path, `${API}:443`, [hello(names(API))]);
  await say(path, `GET http://${API}/x HTTP/1.1\r\nhost: ${API}\r\nconnection: close\r\n\r\n`);
  const ports = (await world.reached()).map(({ address, port }) => `${address}:${port}`).join(' ');
  await close();
  return ports === '93.184.216.34:443 93.184.216.34:80'
    ? null
    : `what is permitted reached ${ports || 'nobody'}`;
}

const world = await makeWorld();
const verdicts: EgressVerdict[] = [];
const shut = await isOpen(world);
for (const row of chosen) verdicts.push(await verdictOf(row, world));
const after = shut ?? (await isOpen(world));
await world.close();
process.stdout.write(`${JSON.stringify({ verdicts, shut: after })}\n`);
process.exit(0);
