/** The file itself as victim: what two readers could read differently, what nobody signed, and what is too much. */

import { envelopeDigest } from '../../schemas/approval.ts';
import { LOCK_FILE, renderLockFile } from '../../schemas/lock.ts';
import { makeApproval, makeEntry, makeLock, people } from '../helpers/trust.ts';
import type { Row } from './row.ts';
import { edited, type LockAttack, lockRow } from './scene.ts';

const REPOSITORY = 'the repository';
const bytesOf = (text: string): Buffer => Buffer.from(text);
const whole = (): string => renderLockFile(makeLock());

const readings: LockAttack[] = [
  {
    id: 'file-duplicate-key',
    attacker: REPOSITORY,
    attack: 'writes a key twice, of which readers take the first or the last',
    code: 'JSON_INVALID',
    scene: () => ({
      forged: edited('"audience": "acme/app",', '"audience": "acme/evil",\n    "audience": "acme/app",'),
    }),
  },
  {
    id: 'file-escaped-duplicate',
    attacker: REPOSITORY,
    attack: 'writes it twice, once with an escape in its name',
    code: 'JSON_INVALID',
    scene: () => ({
      forged: edited(
        '"audience": "acme/app",',
        '"\\u0061udience": "acme/evil",\n    "audience": "acme/app",',
      ),
    }),
  },
  {
    id: 'file-unknown-field',
    attacker: REPOSITORY,
    attack: 'adds a field to the signed part',
    code: 'DOCUMENT_INVALID',
    scene: () => ({ forged: edited('"audience"', '"allow": true,\n    "audience"') }),
  },
  {
    id: 'file-unsigned-field',
    attacker: REPOSITORY,
    attack: 'adds a field beside the signed part',
    code: 'DOCUMENT_INVALID',
    scene: () => ({ forged: edited('"signatures"', '"note": "approved by hand",\n  "signatures"') }),
  },
  {
    id: 'file-more-evidence',
    attacker: REPOSITORY,
    attack: 'lays a good approval beside that no entry names',
    code: 'APPROVAL_SUBJECT',
    scene: () => {
      const file = makeLock();
      const stray = makeApproval(people.carol, makeEntry());
      file.evidence.approvals[envelopeDigest(stray)] = stray;
      return { forged: file };
    },
  },
  {
    id: 'file-other-spaces',
    attacker: REPOSITORY,
    attack: 'writes the same data with other spaces',
    code: 'LOCK_FORM',
    scene: () => ({ forged: edited('  "lock": {', '  "lock":  {') }),
  },
  {
    id: 'file-other-order',
    attacker: REPOSITORY,
    attack: 'writes the same data in another order',
    code: 'LOCK_FORM',
    scene: () => {
      const { lockkeeper, ...rest } = makeLock();
      return { forged: bytesOf(`${JSON.stringify({ ...rest, lockkeeper }, null, 2)}\n`) };
    },
  },
  {
    id: 'file-stray-base64',
    attacker: REPOSITORY,
    attack: 'writes a signature with other bits where base64 has none',
    code: 'DOCUMENT_INVALID',
    scene: () => {
      const text = whole();
      const [, head = '', last = ''] = /"sig": "([A-Za-z0-9+/]+)([AQgw])=="/.exec(text) ?? [];
      return {
        forged: bytesOf(
          text.replace(`${head}${last}==`, `${head}${String.fromCharCode(last.charCodeAt(0) + 1)}==`),
        ),
      };
    },
  },
  {
    id: 'file-stray-proof',
    attacker: REPOSITORY,
    attack: 'does the same to a hash in a proof',
    code: 'DOCUMENT_INVALID',
    scene: () => {
      const text = whole();
      const [proof = '', last = ''] = /[A-Za-z0-9+/]{42}([AEIMQUYcgkosw048])=",\n/.exec(text) ?? [];
      const bent = proof.replace(`${last}="`, `${String.fromCharCode(last.charCodeAt(0) + 1)}="`);
      return { forged: bytesOf(text.replace(proof, bent)) };
    },
  },
  {
    id: 'file-rival',
    attacker: 'another tool',
    attack: `leaves its own ${LOCK_FILE} in the project`,
    code: 'DOCUMENT_FOREIGN',
    scene: () => ({
      forged: bytesOf('{"version":1,"servers":{"weather":{"command":"npx","args":["-y","weather"]}}}\n'),
    }),
  },
  {
    id: 'file-half',
    attacker: 'a full disk',
    attack: 'leaves half of the file',
    code: 'JSON_INVALID',
    scene: () => ({ forged: bytesOf(whole().slice(0, 4000)) }),
  },
  {
    id: 'file-not-utf8',
    attacker: REPOSITORY,
    attack: 'puts a byte in that is no UTF-8',
    code: 'JSON_INVALID',
    scene: () => {
      const bytes = bytesOf(whole());
      bytes[bytes.indexOf('acme/app')] = 0xff;
      return { forged: bytes };
    },
  },
];

/** What RFC 8785 and JSON.parse write differently from what stood there. */
const numbers: LockAttack[] = (
  [
    ['number-infinite', '1e400', 'a number that becomes infinite', 'JSON_INVALID'],
    ['number-rounded', '9007199254740993', 'a number that is read as its neighbour', 'JSON_INVALID'],
    ['number-exponent', '1E0', 'a one in another spelling', 'LOCK_FORM'],
    ['number-fraction', '1.0', 'a one with a fraction', 'LOCK_FORM'],
  ] as const
).map(([id, text, what, code]) => ({
  id,
  attacker: REPOSITORY,
  attack: `writes ${what}: ${text}`,
  code,
  scene: () => ({ forged: edited('"cpus": 1', `"cpus": ${text}`) }),
}));

const texts: LockAttack[] = [
  {
    id: 'number-hundred',
    attacker: REPOSITORY,
    attack: 'writes a hundred in another spelling: 1E2',
    code: 'LOCK_FORM',
    scene: () => ({ forged: edited(/"pids": 128/, '"pids": 1E2') }),
  },
  {
    id: 'number-minus-zero',
    attacker: REPOSITORY,
    attack: 'writes a nought with a sign: -0',
    code: 'LOCK_FORM',
    scene: () => ({ forged: edited(/"index": \d+/, '"index": -0') }),
  },
  {
    id: 'text-lone-surrogate',
    attacker: REPOSITORY,
    attack: 'writes half a character, which no UTF-8 can hold',
    code: 'JSON_INVALID',
    scene: () => ({ forged: edited('"npm:weather@1.2.3"', '"npm:weather\\ud800@1.2.3"') }),
  },
  {
    id: 'text-escaped',
    attacker: REPOSITORY,
    attack: 'writes a letter as its escape',
    code: 'LOCK_FORM',
    scene: () => ({ forged: edited('"acme/app"', '"\\u0061cme/app"') }),
  },
  {
    id: 'deep-nesting',
    attacker: REPOSITORY,
    attack: 'nests two hundred arrays',
    code: 'JSON_INVALID',
    scene: () => ({ forged: edited('"revoked": []', `"revoked": ${'['.repeat(200)}${']'.repeat(200)}`) }),
  },
  {
    id: 'deeper-nesting',
    attacker: REPOSITORY,
    attack: 'nests ten million arrays',
    code: 'JSON_INVALID',
    scene: () => ({ forged: Buffer.concat([Buffer.alloc(10_000_000, '['), Buffer.alloc(10_000_000, ']')]) }),
  },
];

export const documentRows: readonly Row[] = [...readings, ...numbers, ...texts].map(lockRow);
