/** What GitHub shows of the repository that a package names: each answer read by its form, nothing guessed. */
import Type, { type Static, type TSchema } from 'typebox';
import { LockkeeperError } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { isValid } from '../../schemas/validate.ts';
import type { Github } from './client.ts';

const Repository = Type.Object({
  id: Type.Integer(),
  full_name: Type.String({ maxLength: 300 }),
  archived: Type.Boolean(),
  disabled: Type.Boolean(),
  fork: Type.Boolean(),
  created_at: Type.String(),
  default_branch: Type.String({ maxLength: 300 }),
  owner: Type.Object({ login: Type.String({ maxLength: 100 }), type: Type.String({ maxLength: 100 }) }),
});
const Account = Type.Object({ created_at: Type.String() });
const Pointed = Type.Object({
  object: Type.Object({ type: Type.String(), sha: Type.String({ pattern: '^[0-9a-f]{40,64}$' }) }),
});
const Content = Type.Object({
  type: Type.Literal('file'),
  encoding: Type.Literal('base64'),
  content: Type.String(),
});
const Manifest = Type.Object({
  name: Type.Optional(Type.String()),
  private: Type.Optional(Type.Boolean()),
  workspaces: Type.Optional(Type.Unknown()),
});
/** A tag of a tag of a tag is followed no further. */
const MAX_PEELS = 3;

interface Tag {
  readonly name: string;
  readonly commit: string;
}

export interface Wanted {
  readonly owner: string;
  readonly name: string;
  /** Folder of the package in it; empty for its root. */
  readonly directory: string;
  /** `package.json` or `pyproject.toml`. */
  readonly manifest: string;
  /** Names that the tag of this version may have, the likeliest first. */
  readonly tags: readonly string[];
  /** The tag of the last approved version, as it was seen then. */
  readonly before: Tag | null;
}

export interface RepositoryFacts {
  /** As the package names it. */
  readonly asked: string;
  /** Null: nobody without rights sees a repository there. */
  readonly found: {
    readonly name: string;
    readonly id: string;
    readonly archived: boolean;
    readonly disabled: boolean;
    readonly fork: boolean;
    readonly createdAt: string;
    readonly defaultBranch: string;
    readonly owner: { readonly login: string; readonly kind: string; readonly createdAt: string | null };
    readonly tag: Tag | null;
    /** Whether it has any tag at all. */
    readonly tagged: boolean;
    /** Whether the tag has a release; null without a tag. */
    readonly released: boolean | null;
    readonly manifest: SeenManifest;
    /** The last approved version's tag as it is today; commit null: gone. */
    readonly before: { readonly name: string; readonly was: string; readonly commit: string | null } | null;
  } | null;
}

/** What the package's folder says that it is: its name, that it holds several packages, or that nothing is there. */
type SeenManifest =
  | { readonly kind: 'named'; readonly name: string; readonly several: boolean }
  | { readonly kind: 'unnamed' }
  | { readonly kind: 'none' };

/** Throws SOURCE_UNREACHABLE. */
export async function lookAtRepository(github: Github, wanted: Wanted): Promise<RepositoryFacts> {
  const { owner, name: repo, directory, manifest } = wanted;
  const asked = `${owner}/${repo}`;
  const ask = asking(github);
  const found = await ask('GET /repos/{owner}/{repo}', { owner, repo }, Repository);
  if (found === null) return { asked, found: null };
  const [own = owner, name = repo] = found.full_name.split('/');
  const at = { owner: own, repo: name };
  const account = await ask('GET /users/{username}', { username: found.owner.login }, Account);
  const tag = await firstTag(wanted.tags, at, ask);
  const path = [directory, manifest].filter((part) => part !== '').join('/');
  return {
    asked,
    found: {
      ...{ name: found.full_name, id: `${found.id}`, archived: found.archived, disabled: found.disabled },
      ...{ fork: found.fork, createdAt: found.created_at, defaultBranch: found.default_branch },
      owner: { login: found.owner.login, kind: found.owner.type, createdAt: account?.created_at ?? null },
      tag,
      tagged: tag !== null || (await hasTags(at, ask)),
      released: tag && (await isReleased(tag.name, at, ask)),
      manifest: await manifestAt(path, { ...at, ref: tag?.commit ?? found.default_branch }, ask),
      before: wanted.before && {
        name: wanted.before.name,
        was: wanted.before.commit,
        commit: (await tagNamed(wanted.before.name, at, ask))?.commit ?? null,
      },
    },
  };
}

type Ask = <T extends TSchema>(
  route: string,
  parameters: Readonly<Record<string, string | number>>,
  form: T,
) => Promise<Static<T> | null>;

/** Answers of another form than GitHub's are no answers. */
function asking(github: Github): Ask {
  return async (route, parameters, form) => {
    const answer = await github.ask(route, parameters);
    if (answer === null || isValid(form, answer)) return answer as Static<typeof form> | null;
    throw new LockkeeperError('SOURCE_UNREACHABLE', {
      expected: `an answer to ${route} as GitHub gives it`,
      found: 'one of another form',
      next: 'Check LOCKKEEPER_GITHUB',
    });
  };
}

interface At extends Readonly<Record<string, string>> {
  readonly owner: string;
  readonly repo: string;
}

async function firstTag(names: readonly string[], at: At, ask: Ask): Promise<Tag | null> {
  for (const name of names) {
    const tag = await tagNamed(name, at, ask);
    if (tag !== null) return tag;
  }
  return null;
}

async function tagNamed(name: string, at: At, ask: Ask): Promise<Tag | null> {
  let pointed = await ask(
    'GET /repos/{owner}/{repo}/git/ref/{+ref}',
    { ...at, ref: `tags/${encodeURIComponent(name)}` },
    Pointed,
  );
  for (let peels = 0; pointed?.object.type === 'tag' && peels < MAX_PEELS; peels++)
    pointed = await ask(
      'GET /repos/{owner}/{repo}/git/tags/{sha}',
      { ...at, sha: pointed.object.sha },
      Pointed,
    );
  return pointed?.object.type === 'commit' ? { name, commit: pointed.object.sha } : null;
}

async function hasTags(at: At, ask: Ask): Promise<boolean> {
  const tags = await ask(
    'GET /repos/{owner}/{repo}/tags',
    { ...at, per_page: 1 },
    Type.Array(Type.Unknown()),
  );
  return tags !== null && tags.length > 0;
}

async function isReleased(tag: string, at: At, ask: Ask): Promise<boolean> {
  const route = 'GET /repos/{owner}/{repo}/releases/tags/{tag}';
  return (await ask(route, { ...at, tag }, Type.Object({ id: Type.Integer() }))) !== null;
}

async function manifestAt(path: string, at: At & { readonly ref: string }, ask: Ask): Promise<SeenManifest> {
  const route = 'GET /repos/{owner}/{repo}/contents/{+path}';
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const file = await ask(route, { ...at, path: encoded }, Type.Union([Content, Type.Unknown()]));
  if (file === null) return { kind: 'none' };
  if (!isValid(Content, file)) return { kind: 'unnamed' };
  const text = Buffer.from(file.content, 'base64').toString('utf8');
  return path.endsWith('.toml') ? nameInToml(text) : nameInJson(text);
}

function nameInJson(text: string): SeenManifest {
  try {
    const json = parseStrict(text.replace(/^\ufeff/, ''));
    if (!isValid(Manifest, json) || json.name === undefined) return { kind: 'unnamed' };
    const several = json.workspaces !== undefined || json.private === true;
    return { kind: 'named', name: json.name.slice(0, 300), several };
  } catch (error) {
    if (error instanceof LockkeeperError) return { kind: 'unnamed' };
    throw error;
  }
}

/** `name` of `[project]` or `[tool.poetry]`, as every tool writes it. */
function nameInToml(text: string): SeenManifest {
  let section = '';
  let several = false;
  let name: string | null = null;
  for (const line of text.split(/\r?\n/).slice(0, 5000)) {
    const [, head] = /^\s*\[([^\]]+)\]\s*(?:#.*)?$/.exec(line) ?? [];
    section = head?.trim() ?? section;
    several ||= section.startsWith('tool.uv.workspace');
    if (section !== 'project' && section !== 'tool.poetry') continue;
    name ??= /^\s*name\s*=\s*["']([^"']{1,300})["']/.exec(line)?.[1] ?? null;
  }
  return name === null ? { kind: 'unnamed' } : { kind: 'named', name, several };
}
