/** Interfaces that code is followed to, by the names that modules give them. What is not here neither takes nor gives. */
import type { Sink } from '../facts.ts';

const set = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

const SHELL = set(
  'child_process.exec child_process.execSync shelljs.exec execa.execaCommand execa.execaCommandSync execa.command execa.commandSync',
);
const PROGRAM = set(
  'child_process.spawn child_process.spawnSync child_process.execFile child_process.execFileSync child_process.fork execa execa.execa execa.execaSync execa.sync cross-spawn cross-spawn.sync cross-spawn.spawn tinyexec.x tinyexec.exec node-pty.spawn open open.default open.openApp',
);
const CODE = set(
  'eval Function vm.runInThisContext vm.runInNewContext vm.runInContext vm.Script vm.compileFunction vm2.run require import',
);
const FILES = set(
  'readFile readFileSync writeFile writeFileSync appendFile appendFileSync createReadStream createWriteStream open openSync unlink unlinkSync rm rmSync rmdir rmdirSync mkdir mkdirSync readdir readdirSync rename renameSync copyFile copyFileSync cp cpSync symlink symlinkSync truncate truncateSync remove outputFile outputFileSync readJson writeJson move copy',
);
const TWO_PATHS = set('rename renameSync copyFile copyFileSync cp cpSync symlink symlinkSync move copy');
const HTTP_LIBRARY =
  /^(?:axios|got|ky|needle|superagent|request|undici|node-fetch|cross-fetch|http|https|ofetch)(?:\.|$)/;
const HTTP_METHOD =
  /^(?:get|post|put|patch|delete|head|options|request|fetch|stream|default|\$fetch|ofetch)$/;
const CONNECT = set(
  'net.connect net.createConnection net.Socket tls.connect ws WebSocket dgram.createSocket http2.connect',
);
const LOOKUP = /^dns(?:\/promises|\.promises)?\.(?:lookup|resolve\w*)$/;
/** Text goes through these and stays what it was. */
const CARRY =
  /^(?:path(?:\.posix|\.win32)?\.(?:join|resolve|normalize|relative|dirname)|fs(?:\/promises|\.promises)?\.realpath(?:Sync)?(?:\.native)?|String|Buffer\.from|Array\.from|Object\.(?:assign|entries|values|fromEntries|freeze)|JSON\.(?:stringify|parse)|URL|url\.(?:parse|format|fileURLToPath|pathToFileURL)|util\.(?:format|inspect)|decodeURIComponent|decodeURI|encodeURI|atob|btoa|unescape|structuredClone|zlib\.\w+|querystring\.\w+|qs\.\w+|Promise\.(?:all|resolve|race|allSettled)|Request|URLSearchParams|Uint8Array|Blob|FormData|TextEncoder|TextDecoder|crypto\.\w+)$/;
/** What these give back has no free text in it. */
const CLEAN =
  /^(?:Number|parseInt|parseFloat|Boolean|BigInt|Number\.\w+|encodeURIComponent|Date|Date\.\w+|Math\.\w+|RegExp|path(?:\.posix|\.win32)?\.(?:basename|extname)|crypto\.(?:createHash|randomUUID|createHmac))$/;
/** What a schema is asked for. */
export const PARSES = /^(?:parse|parseAsync|safeParse|safeParseAsync)$/;
/** Names of functions that look at a value before it is used. A heuristic: what they really check is not followed. */
export const CHECKS =
  /valid|sanit|escape|quote|safe|allow|secur|assert|ensure|check|confin|within|inside|encode|white_?list|verify|guard|authori[sz]e|permit|isPath|normali[sz]ePath|resolvePath/i;

/** The sinks that a call's arguments reach: the place of the argument and what it is to the function. */
export function sinksOf(ref: string): readonly { readonly at: number; readonly sink: Sink }[] {
  if (SHELL.has(ref)) return [{ at: 0, sink: 'shell' }];
  if (PROGRAM.has(ref))
    return [
      { at: 0, sink: 'program' },
      { at: 1, sink: 'program argument' },
    ];
  if (CODE.has(ref)) return [{ at: 0, sink: 'code' }];
  const file = /^(?:fs|fs\/promises|fs\.promises|fs-extra|graceful-fs)\.(\w+)$/.exec(ref)?.[1];
  if (file !== undefined && FILES.has(file))
    return TWO_PATHS.has(file)
      ? [
          { at: 0, sink: 'path' },
          { at: 1, sink: 'path' },
        ]
      : [{ at: 0, sink: 'path' }];
  return isRequest(ref) ? [{ at: 0, sink: 'address' }] : [];
}

/** Does this call ask another machine? */
export function isRequest(ref: string): boolean {
  if (ref === 'fetch' || ref === 'EventSource' || CONNECT.has(ref)) return true;
  if (!HTTP_LIBRARY.test(ref)) return false;
  const [, method] = /\.([\w$]+)$/.exec(ref) ?? [];
  return method === undefined || HTTP_METHOD.test(method);
}

/** What is given to it leaves the machine: requests, and names that are asked for. */
export const leaves = (ref: string): boolean => isRequest(ref) || LOOKUP.test(ref);
export const isOpener = (ref: string): boolean => ref === 'open' || ref.startsWith('open.');
/** They say the same in another form. */
export const restates = (ref: string): boolean =>
  /^(?:path(?:\.posix|\.win32)?\.(?:join|resolve|normalize|relative)|fs(?:\/promises|\.promises)?\.realpath(?:Sync)?|URL|url\.parse|String)$/.test(
    ref,
  );
export const isDatabase = (ref: string): boolean =>
  /^(?:pg|mysql|mysql2|mysql2\/promise|sqlite3|better-sqlite3|sqlite|mssql|mariadb|postgres|@duckdb\/node-api|duckdb|node:sqlite|oracledb|snowflake-sdk)\b.*\.(?:query|execute|raw|exec|run|all|get|prepare|unsafe|runAndReadAll)$/.test(
    ref,
  );
export const carries = (ref: string): boolean => CARRY.test(ref);
export const cleans = (ref: string): boolean => CLEAN.test(ref);
export const readsFiles = (ref: string): boolean =>
  /^(?:fs|fs\/promises|fs\.promises|fs-extra)\.read(?:File|FileSync|Json)$/.test(ref);

/** Programs that print what should stay on the machine. */
export const PRINTS_SECRETS =
  /^(?:gh auth token|gcloud auth print|aws configure get|printenv|env$|security find-|op read|npm token)/;
/** Files that hold keys. */
export const PRIVATE_FILE =
  /(?:^|[\s/~])(\.(?:ssh|aws|gnupg|netrc|npmrc|pypirc|docker|kube|git-credentials|bash_history|zsh_history|config\/gh)\b)|(\/etc\/(?:passwd|shadow))|\b(id_rsa|id_ed25519)\b|(wallet\.dat|keystore\.json|Login Data|Local Extension Settings)/;
/** Words of a query language, in the text around what is put into it. */
export const QUERY =
  /\b(?:select\b.*\bfrom|insert\s+into|update\b.*\bset|delete\s+from|drop\s+(?:table|database|index|view)|alter\s+table|create\s+(?:table|index|view|database)|where\b|pragma\b|show\s+(?:tables|columns|create)|describe\s|truncate\s+table|grant\s|union\s+select|match\s*\()/is;
export const QUERY_CALLS = set(
  'query execute raw exec run all get each prepare unsafe queryRaw executeRaw $queryRawUnsafe $executeRawUnsafe queryAsync many one any none manyOrNone oneOrNone simple',
);
/** Shells, to which a program's arguments are code. */
export const SHELL_PROGRAM =
  /^(?:.*\/)?(?:sh|bash|zsh|dash|ksh|cmd(?:\.exe)?|powershell(?:\.exe)?|pwsh|osascript)$/i;
