/** What is said of a variable that does not mean anything here. */
import { refusing } from '../../schemas/errors.ts';

export const badSetting = refusing('CONFIG_INVALID', 'Correct or unset the variable');
