/**
 * The binary form of SSH's public keys and certificates: strings with a length, read within their bounds.
 * Invariant: nothing is read beyond the end; what is no key gives undefined.
 * Pure.
 */

/** Reads the fields of an SSH structure one after the other; undefined once something does not fit. */
export class BlobReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  string(): Buffer | undefined {
    const length = this.uint32();
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(): number | undefined {
    if (this.#at + 4 > this.#bytes.length) return undefined;
    this.#at += 4;
    return this.#bytes.readUInt32BE(this.#at - 4);
  }

  uint64(): bigint | undefined {
    if (this.#at + 8 > this.#bytes.length) return undefined;
    this.#at += 8;
    return this.#bytes.readBigUInt64BE(this.#at - 8);
  }
}

/** A field with its length in front. */
export function sshString(bytes: Buffer | string): Buffer {
  const content = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

export interface Certificate {
  /** `ssh-ed25519-cert-v01@openssh.com` and the like. */
  readonly type: string;
  /** The type of the key in it, `ssh-ed25519`. */
  readonly keyType: string;
  /** The key in it, as a plain public key. */
  readonly key: Buffer;
  readonly blob: Buffer;
  readonly isUser: boolean;
  readonly id: string;
  /** Seconds since 1970; the last second of all time for none. */
  readonly validBefore: bigint;
  readonly validAfter: bigint;
}

const suffix = '-cert-v01@openssh.com';
/** How many fields the public key of each type has. */
const keyFields: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ssh-rsa': 2,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
};

/** Reads a certificate; undefined when it is none or of a kind that we cannot sign for. */
export function readCertificate(blob: Buffer): Certificate | undefined {
  const reader = new BlobReader(blob);
  const type = reader.string()?.toString('latin1') ?? '';
  const keyType = type.endsWith(suffix) ? type.slice(0, -suffix.length) : '';
  const count = Object.hasOwn(keyFields, keyType) ? keyFields[keyType] : undefined;
  if (count === undefined || reader.string() === undefined) return undefined;
  const parts = Array.from({ length: count }, () => reader.string());
  reader.uint64();
  const kind = reader.uint32();
  const id = reader.string();
  reader.string();
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()];
  if (id === undefined || validAfter === undefined || validBefore === undefined) return undefined;
  const key = Buffer.concat([sshString(keyType), ...parts.map((part) => sshString(part ?? ''))]);
  return { type, keyType, key, blob, isUser: kind === 1, id: id.toString(), validAfter, validBefore };
}

/** The blob of a public key or certificate line: `type base64 comment`. */
export function blobOfLine(text: string): Buffer | undefined {
  const [type, base64] = text.trim().split(/\s+/);
  const blob = Buffer.from(base64 ?? '', 'base64');
  return new BlobReader(blob).string()?.toString('latin1') === type ? blob : undefined;
}
