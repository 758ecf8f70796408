import { expect, it } from 'vitest';
import { KNOWN, loadCliConfig } from '../../cli/config.ts';
import { loadConfig, SETTINGS } from '../../registry/config.ts';

const refused = expect.objectContaining({ code: 'CONFIG_INVALID' });

it('a setting of lk serve may stand in the same shell, and a mistyped one may not', () => {
  for (const name of Object.keys(SETTINGS))
    expect(() => loadCliConfig({ [name]: 'x' }, false), name).not.toThrow();
  expect(() => loadCliConfig({ LOCKKEEPER_GITHBU: 'none' }, false)).toThrow(refused);
});

it('a registry starts in a shell that has settings of the command line, and not with a mistyped one', () => {
  for (const name of KNOWN) expect(() => loadConfig({ [name]: 'x' }), name).not.toThrow();
  expect(() => loadConfig({ LOCKKEEPER_ROOT_TRESHOLD: '1' })).toThrow(refused);
});
