/** What a container engine is told of one server. */
import { fileURLToPath } from 'node:url';
import type { LaunchPlan } from '../ports.ts';
import type { Engine } from './engine.ts';
import { BRIDGE, bridged, bridgePrograms, filesOf, GATE_DIR, imagePath, nodeOptions } from './image-root.ts';
import { START, START_INSIDE } from './python.ts';
import { PROFILE_PATH } from './seccomp.ts';
import { UID } from './words.ts';

const PRELOAD = fileURLToPath(new URL('../egress/preload.cjs', import.meta.url));

/** What the engine is told of one server, all but its image and command. */
export function containerSettings(plan: LaunchPlan, engine: Engine['engine']): string[] {
  const { memoryMiB, cpus, pids, tmpMiB } = plan.limits;
  const words = [
    ...[
      '--read-only',
      '--ipc',
      'none',
      '--cap-drop',
      'all',
      '--security-opt',
      'no-new-privileges',
      '--network',
      'none',
    ],
    ...[
      '--security-opt',
      `seccomp=${fileURLToPath(PROFILE_PATH)}`,
      '--user',
      `${UID}:${UID}`,
      '--pids-limit',
      String(pids),
    ],
    ...['--memory', `${memoryMiB}m`, '--memory-swap', `${memoryMiB}m`, '--cpus', String(cpus)],
    ...[
      '--tmpfs',
      `/tmp:rw,size=${tmpMiB}m,mode=1777,noexec,nosuid,nodev`,
      '--ulimit',
      'nofile=1024:1024',
      '--ulimit',
      'nproc=4096:4096',
      '--ulimit',
      'core=0:0',
    ],
    // Podman alone would lay writable folders of any size over a read-only root.
    ...(engine === 'podman' ? ['--read-only-tmpfs=false'] : []),
    '--init=false',
    ...(plan.image
      ? ['--workdir', plan.image.workingDir]
      : ['--workdir', '/app', '--volume', `${plan.appDir}:/app:ro`]),
  ];
  if (plan.python !== undefined) words.push('--volume', `${START}:${START_INSIDE}:ro`);
  for (const { source, target, mode } of plan.mounts) words.push('--volume', `${source}:${target}:${mode}`);
  if (plan.egressSocket !== undefined) {
    words.push(
      '--volume',
      `${plan.egressSocket}:/lockkeeper/egress.sock:ro`,
      '--volume',
      `${PRELOAD}:/lockkeeper/preload.cjs:ro`,
    );
  }
  return words;
}

/** Names of variables that the bridge must not have: they choose what a program loads. */
const LOADING = /^LD_/;

/** Our programs, for an image that may reach a host. */
export async function bridgeWords({ reaches }: LaunchPlan, node: string): Promise<string[]> {
  if (!reaches) return [];
  const files = await filesOf({ ...bridgePrograms(node, BRIDGE) });
  return files.flatMap(([source, name]) => ['--volume', `${source}:${GATE_DIR}/${name}:ro`]);
}

/** What the server sees: its own variables under ours, and those of its image under both. */
export function environmentOf(plan: LaunchPlan): Record<string, string> {
  const { image, reaches } = plan;
  const path = image ? { PATH: imagePath(image) } : {};
  const shown = Object.entries(image?.env ?? {}).filter(([name]) => !(reaches && LOADING.test(name)));
  const own = {
    ...Object.fromEntries(shown),
    ...plan.env,
    ...path,
    HOME: '/tmp',
    LANG: image?.env.LANG ?? 'C.UTF-8',
  };
  if (plan.egressSocket === undefined) return own;
  const proxy = 'http://127.0.0.1:3128';
  const proxies = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy };
  return {
    ...own,
    ...proxies,
    NODE_USE_ENV_PROXY: '1',
    NODE_OPTIONS: nodeOptions(reaches ? undefined : image),
  };
}

/** Its command, as the image of the container has it. */
export function commandOf(plan: LaunchPlan): string[] {
  const [first, ...rest] = plan.command;
  const { image, reaches } = plan;
  const hidden = Object.entries(image?.env ?? {}).filter(([name]) => LOADING.test(name));
  if (reaches) return bridged(plan, Object.fromEntries(hidden));
  if (image) return [...plan.command];
  return [first === 'node' ? '/lockkeeper/node' : first, ...rest];
}
