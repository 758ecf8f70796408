/** The explicit list of verbs. */
import type { Command } from '../command.ts';
import { add } from './add.ts';
import { approve } from './approve.ts';
import { audit } from './audit.ts';
import { ci } from './ci.ts';
import { diff } from './diff.ts';
import { doctor } from './doctor.ts';
import { drill } from './drill.ts';
import { keys } from './keys.ts';
import { lock } from './lock.ts';
import { login } from './login.ts';
import { people } from './people.ts';
import { publish } from './publish.ts';
import { reject } from './reject.ts';
import { review } from './review.ts';
import { revoke } from './revoke.ts';
import { run } from './run.ts';
import { serve } from './serve.ts';
import { verify } from './verify.ts';

export const commands: Readonly<Record<string, Command>> = {
  serve,
  login,
  people,
  keys,
  publish,
  review,
  diff,
  approve,
  reject,
  revoke,
  add,
  lock,
  ci,
  verify,
  run,
  audit,
  drill,
  doctor,
};
