/** Which Python a closure was resolved for. */
import { type MachinePython, minorOf } from '../../runtime/python/machine.ts';
import { wheelName } from '../../runtime/store/wheel.ts';
import type { PythonTarget } from '../../schemas/pypi.ts';
import type { Chosen } from './resolve.ts';

/** The oldest C library that all wheels run on: of each wheel its most modest platform, of all the greatest need. */
export function targetOf(
  { version, abi, libc }: Pick<MachinePython, 'version' | 'abi' | 'libc'>,
  wheels: readonly Pick<Chosen, 'file'>[],
): PythonTarget {
  const kind = libc.split(' ')[0] ?? 'glibc';
  const needs = wheels.map(({ file }) => {
    const own = (wheelName(file)?.platforms ?? []).flatMap((platform) => needOf(platform, kind));
    return own.sort((a, b) => a - b)[0] ?? 0;
  });
  const need = Math.max(0, ...needs);
  return {
    version: minorOf(version),
    abi,
    libc: need === 0 ? null : `${kind} ${Math.floor(need / 10_000)}.${need % 10_000}`,
  };
}

const OLD: Readonly<Record<string, number>> = { manylinux1: 5, manylinux2010: 12, manylinux2014: 17 };

function needOf(platform: string, kind: string): number[] {
  const old = OLD[platform.split('_')[0] ?? ''];
  if (old !== undefined && kind === 'glibc') return [20_000 + old];
  const [, family, major, minor] = /^(many|musl)linux_(\d+)_(\d+)_/.exec(platform) ?? [];
  if (family === undefined || (family === 'many') !== (kind === 'glibc')) return [];
  return [Number(major) * 10_000 + Number(minor)];
}
