/** Words of code that say what it reaches, whatever language they stand in. */
import type { Capability } from './facts.ts';

const kinds = (capability: Capability, names: string): [string, Capability][] =>
  names.split(' ').map((name) => [name, capability]);

/** Modules of Node and of npm by what they are for. */
export const MODULES: ReadonlyMap<string, Capability> = new Map([
  ...kinds(
    'network',
    'http https http2 net tls dgram dns dns/promises undici axios node-fetch cross-fetch got ws superagent request needle ky nodemailer ssh2 puppeteer playwright socks',
  ),
  ...kinds('programs', 'child_process cluster worker_threads execa cross-spawn shelljs node-pty tinyexec'),
  ...kinds('dynamic code', 'vm vm2 module repl inspector isolated-vm'),
  ...kinds('files', 'fs fs/promises fs-extra graceful-fs'),
  ...kinds('native code', 'bindings node-gyp-build ffi-napi koffi wasi'),
  ...kinds('environment', 'process'),
]);

const HOST = /(?:https?|wss?|ftp):\/\/([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?)/g;
/** Hosts that name a vocabulary, not a place to go. */
const NAMES_ONLY =
  /^(?:(?:www\.)?json-schema\.org|(?:www\.)?w3\.org|schema\.org|schemas?\.[\w.-]+|tools\.ietf\.org|spdx\.org)$/;
const PRIVATE_FILE =
  /(?:^|\/|~\/)(\.(?:ssh|aws|gnupg|netrc|npmrc|pypirc|docker|kube|git-credentials|bash_history|zsh_history)\b)|^(\/etc\/(?:passwd|shadow)|\/proc\/)/;

/** Hosts of addresses in this text, in small letters. */
export function hostsIn(text: string): string[] {
  if (!text.includes('://')) return [];
  const hosts = [...text.matchAll(HOST)].map(([, host = '']) => host.toLowerCase());
  return hosts.filter((host) => !NAMES_ONLY.test(host));
}

const MAIL = /^(?:[^<>@\s]{0,80}<)?([\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[a-z]{2,24})>?$/i;
const MAIL_EXAMPLE = /@(?:.*\.)?example(?:\.\w+)?$|@users\.noreply\.|^(?:git|noreply|no-reply)@/i;

/** The address of a text that is nothing but one: whom mail would go to. */
export function mailIn(text: string): string | null {
  if (text.length > 200) return null;
  const [, address] = MAIL.exec(text) ?? [];
  return address === undefined || MAIL_EXAMPLE.test(address) ? null : address.toLowerCase();
}

export function privateFileIn(text: string): string | null {
  const found = PRIVATE_FILE.exec(text);
  return found ? (found[1] ?? found[2] ?? '') : null;
}
