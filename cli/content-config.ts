/** The content controls of this machine: one file, for whoever runs servers on it. */
import { ContentControls } from '../schemas/content.ts';
import { assertValid } from '../schemas/validate.ts';
import { type MachineFile, readMachineFile } from './machine-file.ts';

/** Empty where there is no file: then the defaults hold. Throws CONFIG_INVALID: no control is lost to a typing mistake. */
export async function readContentControls(file: MachineFile): Promise<ContentControls> {
  const value = await readMachineFile(file, {
    what: 'the content controls',
    page: 'docs/content.md',
    variable: 'LOCKKEEPER_CONTENT',
  });
  return value === null ? {} : assertValid(ContentControls, value, file.path, 'CONFIG_INVALID');
}
