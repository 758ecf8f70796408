/** The scanner's own word on a scan: signed before the scan is stored, so that no report stands without one. */
import type { ScanResult } from '../scanner/ports.ts';
import { STATEMENT_TYPE } from '../schemas/approval.ts';
import type { Envelope } from '../schemas/dsse.ts';
import { canonical } from '../schemas/json.ts';
import { sealWith } from '../schemas/signer.ts';
import { verdictOf } from '../schemas/verdict.ts';
import type { Deps } from './deps.ts';

/** Throws KEY_UNKNOWN where the newest root names no scanner key of this registry, and SIGNER_FAILED. */
export async function signedVerdict(
  result: Pick<ScanResult, 'report' | 'reportDigest' | 'closure'>,
  { trust, policy }: Pick<Deps, 'trust' | 'policy'>,
): Promise<Envelope> {
  const verdict = verdictOf(result, policy);
  return sealWith(await trust.scannerKey(), STATEMENT_TYPE, Buffer.from(canonical(verdict)));
}
