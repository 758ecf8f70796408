import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { leafHash } from '../../schemas/merkle.ts';
import {
  checkpointText,
  cosign,
  noteKeyOf,
  parseNote,
  readCheckpoint,
  readNoteKey,
  signersOf,
  signNote,
} from '../../schemas/note.ts';

const key = () => generateKeyPairSync('ed25519').privateKey;
const log = { name: 'log.example/lockkeeper', privateKey: key() };
const witness = { name: 'witness.example', privateKey: key() };
const logKey = readNoteKey(noteKeyOf(log, 'log'));
const witnessKey = readNoteKey(noteKeyOf(witness, 'witness'));
const text = checkpointText({ origin: log.name, size: 7, root: leafHash(Buffer.from('x')) });
const signed = signNote(text, log) + cosign(text, witness, 1_764_000_000);

describe('a signed note', () => {
  it('verifies the vector of golang.org/x/mod/sumdb/note', () => {
    // From the package's documentation (BSD-3-Clause): the key of PeterNeumann and the note it signed.
    const verifier = readNoteKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    const said =
      'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n'.replaceAll(
        '’',
        "'",
      );
    const note = `${said}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    expect(signersOf(parseNote(note), [verifier])).toEqual(new Map([['PeterNeumann', null]]));
    expect(signersOf(parseNote(note.replace('answer', 'Answer')), [verifier])).toBeNull();
  });

  it('says who signed, and when a witness saw it', () => {
    expect(signersOf(parseNote(signed), [logKey, witnessKey])).toEqual(
      new Map([
        [log.name, null],
        [witness.name, 1_764_000_000],
      ]),
    );
    expect(readCheckpoint(parseNote(signed).text)).toMatchObject({ origin: log.name, size: 7 });
  });

  it('passes over keys that nobody trusts, and trusts no name alone', () => {
    expect(signersOf(parseNote(signed), [witnessKey])).toEqual(new Map([[witness.name, 1_764_000_000]]));
    const impostor = signNote(text, { name: log.name, privateKey: key() });
    expect(signersOf(parseNote(impostor), [logKey])).toEqual(new Map());
  });

  it('is refused whole for one bad signature of a known key', () => {
    const moved = signed.replace('\n7\n', '\n8\n');
    expect(signersOf(parseNote(moved), [logKey, witnessKey])).toBeNull();
    const other = signNote(text, log) + cosign(`${text}more\n`, witness, 1);
    expect(signersOf(parseNote(other), [logKey, witnessKey])).toBeNull();
  });

  it.each([
    ['nothing', ''],
    ['text alone', text],
    ['no newline at the end', signed.trimEnd()],
    ['a control character', signed.replace('7', '7\u0000')],
    ['a carriage return', signed.replace('\n', '\r\n')],
    ['a hyphen for the dash', signed.replaceAll('—', '-')],
    ['base64 that is not canonical', signed.replace(/=\n(?=— w)/, '\n')],
    ['a signature too short', `${text}\n— a AAAA\n`],
  ])('is refused: %s', (_, note) => {
    expect(() => parseNote(note)).toThrow('a signed note');
  });

  it.each([
    ['a size with a sign', text.replace('7', '-7')],
    ['a size with a leading zero', text.replace('7', '07')],
    ['a size beyond what is safe', text.replace('7', '9007199254740993')],
    ['a short root', 'o\n1\nAAAA\n'],
    ['no origin', text.slice(text.indexOf('\n'))],
  ])('holds no checkpoint with %s', (_, body) => {
    expect(() => readCheckpoint(body)).toThrow('a checkpoint');
  });

  it.each([
    ['another hash', noteKeyOf(log, 'log').replace(/\+[0-9a-f]{8}\+/, '+00000000+')],
    ['another name', `x${noteKeyOf(log, 'log')}`],
    ['no key', 'name+00000000+'],
    ['words', 'a key'],
  ])('knows no key with %s', (_, written) => {
    expect(() => readNoteKey(written)).toThrow('name+hash+base64');
  });
});
