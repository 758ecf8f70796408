/** In place of `runtime/isolation/select.ts`: starts servers as plain processes. */
import type { IsolationDriver } from '../../runtime/ports.ts';
import { plainProcess } from '../../test/helpers/session.ts';

const driver: IsolationDriver = {
  name: 'bubblewrap',
  detect: async () => ({ available: true, version: 'nothing is isolated' }),
  start: ({ appDir, command: [, ...words] }) =>
    plainProcess(words.map((word) => word.replace(/^\/app\//, `${appDir}/`))),
};

export function selectDriver(): Promise<{ driver: IsolationDriver; version: string }> {
  return Promise.resolve({ driver, version: 'none' });
}
