import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyIdOf, pae, signBytes, verifyBytes, verifySignature } from '../../schemas/dsse.ts';

const TYPE = 'application/vnd.lockkeeper.test';
const PAYLOAD = Buffer.from('what is signed');

// P-256 as FIPS 186-4 has it; enough of it to make a key fit a signature.
const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const G = {
  x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
};
type Point = typeof G | null;

const mod = (a: bigint, m: bigint): bigint => ((a % m) + m) % m;
function power(base: bigint, exponent: bigint, m: bigint): bigint {
  let result = 1n;
  for (let b = mod(base, m), e = exponent; e > 0n; e >>= 1n, b = mod(b * b, m))
    if (e & 1n) result = mod(result * b, m);
  return result;
}
const inverse = (a: bigint, m: bigint): bigint => power(a, m - 2n, m);

function add(a: Point, b: Point): Point {
  if (!a || !b) return a ?? b;
  if (a.x === b.x && a.y !== b.y) return null;
  const slope =
    a.x === b.x ? (3n * a.x * a.x - 3n) * inverse(2n * a.y, P) : (b.y - a.y) * inverse(mod(b.x - a.x, P), P);
  const x = mod(slope * slope - a.x - b.x, P);
  return { x, y: mod(slope * (a.x - x) - a.y, P) };
}

function times(point: Point, factor: bigint): Point {
  let sum: Point = null;
  for (let p = point, f = factor; f > 0n; f >>= 1n, p = add(p, p)) if (f & 1n) sum = add(sum, p);
  return sum;
}

const bytesOf = (value: bigint, length: number): Buffer =>
  Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex');

/** The first point whose x has so many bytes; its x will be r. */
function pointOf(bytes: number): typeof G {
  for (let x = 2n ** BigInt(8 * bytes - 2); ; x++) {
    const square = mod(x * x * x - 3n * x + B, P);
    const y = power(square, (P + 1n) / 4n, P);
    if (mod(y * y, P) === square) return { x, y };
  }
}

describe('a P-256 signature of 64 bytes', () => {
  it('is verified as DER where it is DER, as rare as that is', () => {
    // r of 26 bytes and s of 32, with 6 bytes around them; the key is the one that such a signature is of.
    const R = pointOf(26);
    const [r, s] = [R.x, 2n ** 254n + 1n];
    const digest = createHash('sha256').update(pae(TYPE, PAYLOAD)).digest();
    const z = BigInt(`0x${digest.toString('hex')}`);
    const Q = times(add(times(R, s), times(G, mod(-z, N))), inverse(r, N));
    if (!Q) throw new Error('no such point');
    const point = { x: bytesOf(Q.x, 32).toString('base64url'), y: bytesOf(Q.y, 32).toString('base64url') };
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', ...point }, format: 'jwk' });
    const integer = (value: bigint, length: number): Buffer =>
      Buffer.concat([Buffer.from([2, length]), bytesOf(value, length)]);
    const der = Buffer.concat([Buffer.from([0x30, 62]), integer(r, 26), integer(s, 32)]);
    expect(der).toHaveLength(64);
    expect(verify('sha256', pae(TYPE, PAYLOAD), { key, dsaEncoding: 'ieee-p1363' }, der)).toBe(false);
    const signature = { keyid: keyIdOf(key), sig: der.toString('base64') };
    expect(verifyBytes(TYPE, PAYLOAD, signature, key)).toBe(true);
    expect(verifyBytes(TYPE, Buffer.from('another'), signature, key)).toBe(false);
    const raw = Buffer.concat([bytesOf(r, 32), bytesOf(s, 32)]);
    expect(verifySignature(pae(TYPE, PAYLOAD), raw, key)).toBe(true);
  });

  it('is verified as r||s where it is that, and neither where it is cut or longer', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (const dsaEncoding of ['ieee-p1363', 'der'] as const) {
      const sig = sign('sha256', PAYLOAD, { key: privateKey, dsaEncoding });
      expect(verifySignature(PAYLOAD, sig, publicKey)).toBe(true);
      expect(verifySignature(PAYLOAD, sig.subarray(0, -1), publicKey)).toBe(false);
      expect(verifySignature(PAYLOAD, Buffer.concat([sig, Buffer.alloc(1)]), publicKey)).toBe(false);
      expect(verifySignature(PAYLOAD, Buffer.alloc(0), publicKey)).toBe(false);
    }
    const signature = signBytes(TYPE, PAYLOAD, privateKey);
    expect(verifyBytes(TYPE, PAYLOAD, signature, publicKey)).toBe(true);
  });
});
