/** Every client that is run, with its version. A newer one is taken by changing it here and running npm run clients. */
import { type Client, isAdopted, type Opening, type Target } from './client.ts';

const PLATFORM = `${process.platform}-${process.arch}`;
const INSPECTOR = '@modelcontextprotocol/inspector';

const inspector = {
  name: 'Inspector',
  package: INSPECTOR,
  version: '2.12.0',
  program: `${INSPECTOR}/clients/launcher/build/index.js`,
  command: 'mcp-inspector',
  here: true,
  calls: 'inspector-cli',
} as const;

const calling = ({ face, line, tool }: Target): string => {
  const by = isAdopted(face)
    ? 'mcp-inspector --cli --config mcp.json --server docs --method tools/list'
    : line;
  return by.replace(
    '--method tools/list',
    `--method tools/call --tool-name ${tool} --tool-arg message="$MESSAGE"`,
  );
};

/** What people have before they know of a lock, in the form of most clients. */
const NPX = { command: 'npx', args: ['-y', '@acme/docs'] };
const ofServers = (more: object = {}) =>
  `${JSON.stringify({ ...more, mcpServers: { docs: NPX } }, null, 2)}\n`;

/** A program that uses an SDK, in one of its ways. */
function sdk(mode: string, name: string, version: string, opens: Opening): Client {
  return {
    name: 'SDK',
    mode,
    package: name,
    version,
    program: '',
    command: 'sdk',
    here: true,
    calls: `sdk-${mode}`,
    opens,
    script: ({ face, tool, at }) => `sdk ${mode} ${face} ${tool} "$MESSAGE" ${at}`,
  };
}

/** As it comes, or with one more of its features. */
function codex(opens: Opening, feature?: string): Client {
  return {
    name: 'Codex',
    ...(feature === undefined ? {} : { mode: feature }),
    package: '@openai/codex',
    version: '0.169.0',
    program: '.bin/codex',
    command: 'codex',
    here: false,
    calls: 'codex-mcp-client',
    opens,
    opensStdio: 'initialize',
    files: ({ model, line }) => ({ '.codex/config.toml': `${codexModel(model, feature)}\n${line}` }),
    ...(feature === undefined
      ? {
          adopts: {
            file: '.codex/config.toml',
            text: ({ model }) =>
              `${codexModel(model)}\n[mcp_servers.docs] # ours\ncommand = "npx"\nargs = ["-y", "@acme/docs"]\nrequired = true\n`,
          },
        }
      : {}),
    script: () => 'codex exec --skip-git-repo-check "call echo"',
    leaves: 'Codex kills servers it started some 10 ms after it asks them to end',
  };
}

export const clients: readonly Client[] = [
  {
    ...inspector,
    opens: 'initialize',
    script: calling,
    adopts: { file: 'work/mcp.json', text: () => ofServers() },
  },
  {
    ...inspector,
    mode: 'auto',
    opens: 'server/discover',
    script: (target) => `${calling(target)} --protocol-era auto`,
  },
  sdk('v1', '@modelcontextprotocol/sdk', '1.32.2', 'initialize'),
  sdk('v2', '@modelcontextprotocol/client', '2.4.0', 'initialize'),
  sdk('v2-auto', '@modelcontextprotocol/client', '2.4.0', 'server/discover'),
  {
    name: 'mcporter',
    package: 'mcporter',
    version: '0.12.3',
    program: '.bin/mcporter',
    command: 'mcporter',
    here: false,
    calls: 'mcporter',
    opens: 'initialize',
    adopts: { file: 'work/config/mcporter.json', text: () => ofServers({ imports: [] }) },
    script: ({ line, tool }) => `${line}\nmcporter list docs\nmcporter call docs.${tool} message="$MESSAGE"`,
  },
  {
    name: 'Claude Code',
    package: '@anthropic-ai/claude-code',
    version: '2.1.330',
    program: `@anthropic-ai/claude-code-${PLATFORM}/claude`,
    command: 'claude',
    here: false,
    calls: 'claude-code',
    opens: 'server/discover',
    environment: ({ model }) => ({
      ANTHROPIC_BASE_URL: model,
      ANTHROPIC_API_KEY: 'none',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      // Tools are offered from the first turn on, and the first turn waits for servers.
      ENABLE_TOOL_SEARCH: 'false',
      MCP_CONNECTION_NONBLOCKING: '0',
    }),
    files: () => ({ 'work/.claude/settings.json': '{"enableAllProjectMcpServers": true}' }),
    adopts: { file: 'work/.mcp.json', text: () => ofServers() },
    script: ({ line, tool }) => `${line}\nclaude -p "call echo" --allowedTools mcp__docs__${tool}`,
  },
  codex('initialize'),
  codex('server/discover', 'mcp_2026_07_28'),
  {
    name: 'Copilot CLI',
    package: '@github/copilot',
    version: '1.0.102',
    program: '.bin/copilot',
    command: 'copilot',
    here: false,
    calls: 'copilot-cli',
    opens: 'server/discover',
    environment: ({ model }) => ({
      COPILOT_OFFLINE: 'true',
      COPILOT_AUTO_UPDATE: 'false',
      COPILOT_PROVIDER_BASE_URL: `${model}/v1`,
      COPILOT_PROVIDER_API_KEY: 'none',
      COPILOT_MODEL: 'gpt-4.1',
    }),
    adopts: { file: '.copilot/mcp-config.json', text: () => ofServers() },
    script: ({ line }) => `${line}\ncopilot -p "call echo" --allow-all-tools --trust-folder`,
  },
  {
    name: 'Gemini CLI',
    package: '@google/gemini-cli',
    version: '0.61.0',
    program: '.bin/gemini',
    command: 'gemini',
    here: false,
    calls: 'gemini-cli-mcp-client',
    opens: 'initialize',
    environment: ({ model }) => ({ GEMINI_API_KEY: 'none', GOOGLE_GEMINI_BASE_URL: model }),
    files: () => ({ '.gemini/settings.json': JSON.stringify(GEMINI) }),
    adopts: { file: '.gemini/settings.json', text: () => ofServers(GEMINI) },
    // A model by name: the default would first ask another one which to take.
    script: ({ line }) => `${line}\ngemini -m gemini-2.5-flash -p "call echo" --yolo`,
  },
  {
    name: 'opencode',
    package: 'opencode-ai',
    version: '1.18.33',
    program: `opencode-${PLATFORM}/bin/opencode`,
    command: 'opencode',
    here: false,
    calls: 'opencode',
    opens: 'initialize',
    environment: () => ({
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
      OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    }),
    files: ({ model }) => ({ '.config/opencode/opencode.json': JSON.stringify(opencodeModel(model)) }),
    adopts: {
      file: '.config/opencode/opencode.json',
      text: ({ model }) => JSON.stringify({ ...opencodeModel(model), mcp: { docs: OPENCODE_NPX } }, null, 2),
    },
    script: ({ line }) => `${line}\nopencode run "call echo"`,
  },
];

const OPENCODE_NPX = { type: 'local', command: ['npx', '-y', '@acme/docs'], enabled: true };

const GEMINI = {
  security: { folderTrust: { enabled: false }, auth: { selectedType: 'gemini-api-key' } },
  privacy: { usageStatisticsEnabled: false },
  general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
};

function codexModel(model: string, feature?: string): string {
  return [
    'model = "stand-in"',
    'model_provider = "local"',
    'check_for_update_on_startup = false',
    '[model_providers.local]',
    'name = "local"',
    `base_url = "${model}/v1"`,
    'wire_api = "responses"',
    '[analytics]',
    'enabled = false',
    '[features]',
    'apps = false',
    'plugins = false',
    ...(feature === undefined ? [] : [`${feature} = true`]),
  ].join('\n');
}

function opencodeModel(model: string): Readonly<Record<string, unknown>> {
  const options = { baseURL: `${model}/v1`, apiKey: 'none' };
  const models = { 'stand-in': { name: 'stand-in', tool_call: true } };
  const local = { npm: '@ai-sdk/openai-compatible', name: 'local', options, models };
  const chosen = { model: 'local/stand-in', small_model: 'local/stand-in' };
  // It writes the name of its schema into a file without one.
  return {
    $schema: 'https://opencode.ai/config.json',
    autoupdate: false,
    share: 'disabled',
    ...chosen,
    provider: { local },
  };
}
