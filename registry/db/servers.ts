/** Server names with their owners. Whether an owner left is read from the people, never stored beside them. */
import type { Server } from '../../schemas/server.ts';
import type { Client } from './pool.ts';

const COLUMNS = `s.name, s.owner, s.team, s.package,
  not exists (select 1 from people p where p.person = s.owner and p.left_at is null) as orphaned`;

/** Locks the row for the transaction, so that a name is claimed and moved by one at a time. */
export async function lockServer(client: Client, name: string): Promise<Server | null> {
  const { rows } = await client.query<Server>(
    `select ${COLUMNS} from servers s where s.name = $1 for update of s`,
    [name],
  );
  return rows[0] ?? null;
}

/** False when the name was claimed by somebody else first. */
export async function insertServer(
  client: Client,
  server: Pick<Server, 'name' | 'owner' | 'team' | 'package'>,
): Promise<boolean> {
  const { rowCount } = await client.query(
    'insert into servers (name, owner, team, package) values ($1, $2, $3, $4) on conflict do nothing',
    [server.name, server.owner, server.team, server.package],
  );
  return rowCount === 1;
}

export async function updateServer(
  client: Client,
  name: string,
  change: { owner?: string | undefined; team?: string | undefined; package?: string | undefined },
): Promise<void> {
  await client.query(
    'update servers set owner = coalesce($2, owner), team = coalesce($3, team), package = coalesce($4, package) where name = $1',
    [name, change.owner ?? null, change.team ?? null, change.package ?? null],
  );
}

export interface ServerFilter {
  readonly name?: string | undefined;
  readonly owner?: string | undefined;
  readonly orphaned?: boolean | undefined;
}

/** By name. */
export async function listServers(client: Client, filter: ServerFilter = {}): Promise<Server[]> {
  const { rows } = await client.query<Server>(
    `select * from (select ${COLUMNS} from servers s) s
     where ($1::text is null or name = $1) and ($2::text is null or owner = $2) and ($3::boolean is null or orphaned = $3) order by name`,
    [filter.name ?? null, filter.owner ?? null, filter.orphaned ?? null],
  );
  return rows;
}
