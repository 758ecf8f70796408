/** The registry's policy: what a scan may let through and how long things live. */
import { FailOn } from './advisory.ts';
import { Closed } from './common.ts';
import { CheckId } from './finding.ts';
import { type Static, Type } from './type.ts';

export const Policy = Closed({
  lockkeeper: Type.Literal('policy/v1'),
  approvals: Closed({
    threshold: Type.Integer({ minimum: 1, maximum: 10 }),
    maxAgeDays: Type.Integer({ minimum: 1, maximum: 365 }),
    /** How many releases in a row may be approved by their differences, without a full review. */
    maxDeltas: Type.Integer({ minimum: 0, maximum: 50 }),
  }),
  advisories: Closed({
    /** Approved releases whose closure holds known malware are revoked by the registry itself. */
    revokeMalware: Type.Boolean(),
    /** The most of them in a day; what is beyond is held until a person decides. */
    maxRevocations: Type.Integer({ minimum: 0, maximum: 9999 }),
    /** The least severity of a known vulnerability that fails a gate; null: each is a warning. */
    failOn: FailOn,
  }),
  lock: Closed({ maxAgeHours: Type.Integer({ minimum: 1, maximum: 336 }) }),
  scan: Closed({
    coolDownDays: Type.Integer({ minimum: 0, maximum: 365 }),
    /** Checks whose firing needs to be accepted by name in an approval; most gate as well while they are unknown. */
    gates: Type.Array(CheckId, { uniqueItems: true }),
    /** SPDX ids that may be used, each with its exception where it has one; absent or empty: any, and LK-LIC-01 only tells. */
    licences: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { maxItems: 1000, uniqueItems: true }),
    ),
  }),
});
export type Policy = Static<typeof Policy>;

export const DEFAULT_POLICY: Policy = {
  lockkeeper: 'policy/v1',
  approvals: { threshold: 2, maxAgeDays: 180, maxDeltas: 5 },
  advisories: { revokeMalware: true, maxRevocations: 5, failOn: null },
  lock: { maxAgeHours: 72 },
  scan: {
    coolDownDays: 7,
    gates: [
      'LK-ART-01',
      'LK-ART-02',
      'LK-ART-03',
      'LK-IMG-01',
      'LK-GIT-01',
      'LK-SIG-01',
      'LK-PRV-01',
      'LK-PRV-02',
      'LK-PRV-03',
      'LK-PRV-04',
      'LK-REP-02',
      'LK-REL-01',
      'LK-MNT-01',
      'LK-PRM-01',
      'LK-SRF-01',
      'LK-SRF-02',
      'LK-SRF-04',
      'LK-SRF-06',
      'LK-TXT-01',
      'LK-TXT-02',
      'LK-TXT-05',
      'LK-CAP-01',
      'LK-COD-01',
      'LK-COD-04',
      'LK-COD-05',
      'LK-BEH-03',
      'LK-BEH-04',
      'LK-ADV-01',
    ],
  },
};
