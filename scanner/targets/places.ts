/** Where MCP clients keep their servers, as their makers say or others who look there confirm. A table, and what it means here. */
import { posix } from 'node:path';

/**
 * `~` is the home folder; `{user}` where applications keep what is a person's, `{config}` the folder of XDG; the other
 * names in braces are variables of a client, with what counts without one. `*` is any one name.
 */
interface ClientPlaces {
  /** What clients show as their name. */
  readonly title: string;
  /** Below a folder of work. */
  readonly project: readonly string[];
  /** On a machine, of one person or of all. */
  readonly machine: readonly string[];
  /** How its files name a server over HTTP: by this member, beside this `type`; null where they can not. */
  readonly http: Address | null;
}

export interface Address {
  readonly member: 'url' | 'httpUrl' | 'serverUrl';
  readonly type?: string;
}

const URL_ALONE: Address = { member: 'url' };
const TYPED: Address = { member: 'url', type: 'http' };

const VS_CODE = ['{user}/Code', '{user}/Code - Insiders'].flatMap((dir) =>
  ['mcp.json', 'settings.json', 'profiles/*/mcp.json'].map((file) => `${dir}/User/${file}`),
);

/** By the word that the command line has for a client. */
export const CLIENTS = {
  'claude-code': {
    title: 'Claude Code',
    project: ['.mcp.json'],
    machine: [
      '{CLAUDE_CONFIG_DIR=~}/.claude.json',
      '/etc/claude-code/managed-mcp.json',
      '/Library/Application Support/ClaudeCode/managed-mcp.json',
    ],
    http: TYPED,
  },
  'claude-desktop': {
    title: 'Claude Desktop',
    project: ['claude_desktop_config.json'],
    machine: ['{user}/Claude/claude_desktop_config.json', '{config}/claude/claude_desktop_config.json'],
    http: null,
  },
  vscode: {
    title: 'VS Code',
    project: ['.vscode/mcp.json', '.vscode/settings.json'],
    machine: [...VS_CODE, '~/.vscode/mcp.json', '~/.vscode-server/data/User/mcp.json'],
    http: TYPED,
  },
  cursor: {
    title: 'Cursor',
    project: ['.cursor/mcp.json'],
    machine: ['~/.cursor/mcp.json'],
    http: URL_ALONE,
  },
  windsurf: {
    title: 'Windsurf',
    project: ['.windsurf/mcp.json'],
    machine: ['~/.codeium/windsurf/mcp_config.json', '~/.codeium/mcp_config.json'],
    http: { member: 'serverUrl' },
  },
  codex: {
    title: 'Codex',
    project: ['.codex/config.toml'],
    machine: [
      '{CODEX_HOME=~/.codex}/config.toml',
      '{CODEX_HOME=~/.codex}/*.config.toml',
      '/etc/codex/config.toml',
    ],
    http: URL_ALONE,
  },
  gemini: {
    title: 'Gemini CLI',
    project: ['.gemini/settings.json'],
    machine: ['~/.gemini/settings.json'],
    http: { member: 'httpUrl' },
  },
  copilot: {
    title: 'Copilot CLI',
    project: ['.mcp.json', '.github/mcp.json'],
    machine: ['{COPILOT_HOME=~/.copilot}/mcp-config.json'],
    http: TYPED,
  },
  opencode: {
    title: 'opencode',
    project: ['opencode.json', 'opencode.jsonc'],
    machine: ['{config}/opencode/opencode.json', '{config}/opencode/opencode.jsonc'],
    http: { member: 'url', type: 'remote' },
  },
  zed: {
    title: 'Zed',
    project: ['.zed/settings.json'],
    machine: ['{config}/zed/settings.json'],
    http: URL_ALONE,
  },
  roo: {
    title: 'Roo Code',
    project: ['.roo/mcp.json'],
    machine: [],
    http: { member: 'url', type: 'streamable-http' },
  },
  kiro: {
    title: 'Kiro',
    project: ['.kiro/settings/mcp.json'],
    machine: ['~/.kiro/settings/mcp.json'],
    http: URL_ALONE,
  },
  'amazon-q': {
    title: 'Amazon Q',
    project: ['.amazonq/mcp.json'],
    machine: ['~/.aws/amazonq/mcp.json'],
    http: TYPED,
  },
  'lm-studio': {
    title: 'LM Studio',
    project: [],
    machine: ['~/.lmstudio/mcp.json', '~/.cache/lm-studio/mcp.json'],
    http: URL_ALONE,
  },
  other: { title: 'another client', project: ['mcp.json'], machine: [], http: TYPED },
} as const satisfies Readonly<Record<string, ClientPlaces>>;
export type ClientId = keyof typeof CLIENTS;

/** How whoever reads this file names a server over HTTP; null where it can not. Pure. */
export function addressIn(path: string): Address | null {
  const names = path.split('/').reverse();
  const fits = (end: readonly string[]): boolean =>
    end.every((name, index) => name === '*' || name === names[index]);
  const ends = Object.values<ClientPlaces>(CLIENTS).flatMap(({ project, machine, http }) =>
    [...project, ...machine.map((one) => one.replace(/^(?:\{[^}]*\}|~)?\//, ''))].map((end) => ({
      end: end.split('/').reverse(),
      http,
    })),
  );
  const [nearest] = ends.filter(({ end }) => fits(end)).sort((a, b) => b.end.length - a.end.length);
  return nearest ? nearest.http : TYPED;
}

/** Below a project or a home folder alike, where nothing is known of the machine. */
export const CLIENT_FILES: readonly string[] = [
  ...new Set(
    Object.values<ClientPlaces>(CLIENTS).flatMap(({ project, machine }) => [
      ...project,
      ...machine.map((path) => path.replace(/^\{\w+=(~[^}]*)\}/, '$1').replace('{config}', '~/.config')),
    ]),
  ),
]
  .map((path) => path.replace(/^~\//, ''))
  .filter((path) => !/^\/|[{*]/.test(path));

export interface Machine {
  readonly home: string;
  readonly platform: NodeJS.Platform;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Patterns of absolute paths; those that this machine cannot have are left out. Pure. */
export function machineFiles(id: ClientId, { home, platform, environment }: Machine): string[] {
  const user = {
    darwin: `${home}/Library/Application Support`,
    win32: environment.APPDATA || `${home}/AppData/Roaming`,
  }[platform as string];
  const config = environment.XDG_CONFIG_HOME || `${home}/.config`;
  const bases: Readonly<Record<string, string>> = { user: user ?? config, config };
  const machine: readonly string[] = CLIENTS[id].machine;
  const paths = machine.map((path) =>
    path
      .replace(/^\{(\w+)(?:=([^}]*))?\}/, (_, name: string, without = '') => {
        return bases[name] ?? (environment[name] || without);
      })
      .replace(/^~/, home),
  );
  return [...new Set(paths)].filter((path) => posix.isAbsolute(path) || platform === 'win32');
}
