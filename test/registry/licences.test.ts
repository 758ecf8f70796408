import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../registry/config.ts';
import { policyOf } from '../../registry/start.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';

const policyFor = (given?: string) =>
  policyOf(loadConfig(given === undefined ? {} : { LOCKKEEPER_LICENCES: given })).scan;

describe('licences that a company takes', () => {
  it('are none that is named, until they are; then the check gates', () => {
    expect(policyFor()).toEqual(DEFAULT_POLICY.scan);
    const { gates, licences } = policyFor('MIT, Apache-2.0,GPL-2.0-only WITH Classpath-exception-2.0,MIT');
    expect(gates).toEqual([...DEFAULT_POLICY.scan.gates, 'LK-LIC-01']);
    expect(licences).toEqual(['MIT', 'Apache-2.0', 'GPL-2.0-only WITH Classpath-exception-2.0']);
  });

  it.each(['mit', 'MIT,', 'MIT OR ISC', 'BSD', ' ', 'MIT;ISC', 'LicenseRef ours'])(
    'refuse to be %j',
    (bad) => {
      expect(() => loadConfig({ LOCKKEEPER_LICENCES: bad })).toThrow('LOCKKEEPER_LICENCES');
    },
  );
});
