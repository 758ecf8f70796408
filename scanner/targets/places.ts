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
}

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
  },
  'claude-desktop': {
    title: 'Claude Desktop',
    project: ['claude_desktop_config.json'],
    machine: ['{user}/Claude/claude_desktop_config.json', '{config}/claude/claude_desktop_config.json'],
  },
  vscode: {
    title: 'VS Code',
    project: ['.vscode/mcp.json', '.vscode/settings.json'],
    machine: [...VS_CODE, '~/.vscode/mcp.json', '~/.vscode-server/data/User/mcp.json'],
  },
  cursor: { title: 'Cursor', project: ['.cursor/mcp.json'], machine: ['~/.cursor/mcp.json'] },
  windsurf: {
    title: 'Windsurf',
    project: ['.windsurf/mcp.json'],
    machine: ['~/.codeium/windsurf/mcp_config.json', '~/.codeium/mcp_config.json'],
  },
  codex: {
    title: 'Codex',
    project: ['.codex/config.toml'],
    machine: [
      '{CODEX_HOME=~/.codex}/config.toml',
      '{CODEX_HOME=~/.codex}/*.config.toml',
      '/etc/codex/config.toml',
    ],
  },
  gemini: { title: 'Gemini CLI', project: ['.gemini/settings.json'], machine: ['~/.gemini/settings.json'] },
  copilot: {
    title: 'Copilot CLI',
    project: ['.mcp.json', '.github/mcp.json'],
    machine: ['{COPILOT_HOME=~/.copilot}/mcp-config.json'],
  },
  opencode: {
    title: 'opencode',
    project: ['opencode.json', 'opencode.jsonc'],
    machine: ['{config}/opencode/opencode.json', '{config}/opencode/opencode.jsonc'],
  },
  zed: { title: 'Zed', project: ['.zed/settings.json'], machine: ['{config}/zed/settings.json'] },
  roo: { title: 'Roo Code', project: ['.roo/mcp.json'], machine: [] },
  kiro: { title: 'Kiro', project: ['.kiro/settings/mcp.json'], machine: ['~/.kiro/settings/mcp.json'] },
  'amazon-q': {
    title: 'Amazon Q',
    project: ['.amazonq/mcp.json'],
    machine: ['~/.aws/amazonq/mcp.json'],
  },
  'lm-studio': {
    title: 'LM Studio',
    project: [],
    machine: ['~/.lmstudio/mcp.json', '~/.cache/lm-studio/mcp.json'],
  },
  other: { title: 'another client', project: ['mcp.json'], machine: [] },
} as const satisfies Readonly<Record<string, ClientPlaces>>;
export type ClientId = keyof typeof CLIENTS;

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
