import { expect, it } from 'vitest';
import { loadCliConfig } from '../../cli/config.ts';
import { SETTINGS } from '../../registry/config.ts';

it('a setting of lk serve may stand in the same shell, and a mistyped one may not', () => {
  for (const name of Object.keys(SETTINGS))
    expect(() => loadCliConfig({ [name]: 'x' }, false), name).not.toThrow();
  const refused = expect.objectContaining({ code: 'CONFIG_INVALID' });
  expect(() => loadCliConfig({ LOCKKEEPER_GITHBU: 'none' }, false)).toThrow(refused);
});
