/**
 * Private keys in files: what can be known without a passphrase, and the key itself with one.
 * Invariant: whether a key is encrypted is read from its form; a key with a passphrase still shows its public half where it can.
 * Never asks for anything.
 */

import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ParsedKey } from 'ssh2';
import ssh2 from 'ssh2';
import { BlobReader, blobOfLine } from './ssh-blob.ts';

export interface KeyFile {
  readonly path: string;
  /** The public key; undefined when only the passphrase opens it. */
  readonly blob?: Buffer | undefined;
  readonly secret:
    | { readonly kind: 'open'; readonly key: ParsedKey }
    | { readonly kind: 'locked'; readonly text: string }
    /** Only the public half is here: the private one is in an ssh-agent, or nowhere. */
    | { readonly kind: 'absent'; readonly reason: string };
}

const largest = 1_000_000;

/** Reads a key file and the public key beside it. */
export async function readKeyFile(path: string): Promise<KeyFile> {
  const beside = await readPublic(`${path}.pub`);
  let text: string;
  try {
    text = (await readFile(path)).subarray(0, largest).toString('latin1');
  } catch (error) {
    return { path, blob: beside, secret: { kind: 'absent', reason: (error as Error).message } };
  }
  const own = blobOfLine(text);
  if (own !== undefined)
    return { path, blob: own, secret: { kind: 'absent', reason: 'it is no private key' } };
  if (isLocked(text)) return { path, blob: publicPart(text) ?? beside, secret: { kind: 'locked', text } };
  const key = openKey(text);
  if (key instanceof Error) return { path, blob: beside, secret: { kind: 'absent', reason: key.message } };
  return { path, blob: key.getPublicSSH(), secret: { kind: 'open', key } };
}

/** The private key in a text; an Error says why there is none, as after a wrong passphrase. */
export function openKey(text: string, passphrase?: string): ParsedKey | Error {
  const parsed = ssh2.utils.parseKey(modernised(text, passphrase), passphrase);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined) return new Error('it holds no key');
  if (key instanceof Error) return key;
  return key.isPrivateKey() ? key : new Error('it is no private key');
}

async function readPublic(path: string): Promise<Buffer | undefined> {
  try {
    return blobOfLine(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function isLocked(text: string): boolean {
  if (/^Proc-Type: 4,ENCRYPTED|BEGIN ENCRYPTED PRIVATE KEY/m.test(text)) return true;
  if (/^PuTTY-User-Key-File-/.test(text)) return !/^Encryption: none/m.test(text);
  const cipher = openSshParts(text)?.cipher;
  return cipher !== undefined && cipher !== 'none';
}

/** The public key in front of the encrypted part of OpenSSH's own format. */
function publicPart(text: string): Buffer | undefined {
  return openSshParts(text)?.blob;
}

const magic = 'openssh-key-v1\0';

function openSshParts(
  text: string,
): { readonly cipher: string; readonly blob: Buffer | undefined } | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(text)?.[1];
  const bytes = Buffer.from(body ?? '', 'base64');
  if (bytes.toString('latin1', 0, magic.length) !== magic) return undefined;
  const reader = new BlobReader(bytes.subarray(magic.length));
  const cipher = reader.string()?.toString('latin1') ?? '';
  reader.string();
  reader.string();
  reader.uint32();
  const blob = reader.string();
  return { cipher, blob: blob === undefined ? undefined : Buffer.from(blob) };
}

/** The library reads no PKCS#8; the runtime does. */
function modernised(text: string, passphrase: string | undefined): string {
  if (!/BEGIN (ENCRYPTED )?PRIVATE KEY/.test(text)) return text;
  try {
    const key = createPrivateKey({ key: text, passphrase });
    const isRsa = key.asymmetricKeyType === 'rsa';
    if (!isRsa && key.asymmetricKeyType !== 'ec') return text;
    return key.export({ type: isRsa ? 'pkcs1' : 'sec1', format: 'pem' }).toString();
  } catch {
    return text;
  }
}
