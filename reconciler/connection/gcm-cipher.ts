/**
 * Encrypts the packets of an ssh2 connection with AES-GCM, in place of the library's cipher, which converts its key anew for each
 * packet, writes it in three pieces and leaves its buffers to the collector.
 * Invariant: packets as RFC 5647 has them; memory is given back as soon as nobody looks at it any more.
 * Never uses random padding twice.
 */

import { createCipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto';
import { freeBytes, ownMemoryFrom } from '../base/off-heap.ts';

/** What of the library's cipher the next packet depends on. */
export interface GcmState {
  readonly _encSSLName: string;
  readonly _encKey: Buffer;
  readonly _encIV: Buffer;
  readonly outSeqno: number;
}

/** Takes bytes; `taken` is called when they are no longer looked at. */
export type WriteBytes = (bytes: Buffer, taken?: () => void) => void;

const blockBytes = 16;
const tagBytes = 16;
const lengthBytes = 4;
const leastPadding = 4;
const paddingBytes = 512;

export class GcmCipher {
  /** Packets sent since the connection began; the library reads it when keys are exchanged. */
  outSeqno: number;
  readonly #name: 'aes-256-gcm';
  readonly #key: KeyObject;
  readonly #iv: Buffer;
  readonly #write: WriteBytes;
  readonly #padding = Buffer.alloc(paddingBytes);
  #padded = paddingBytes;
  #isFree = false;

  /** Goes on where the library's cipher is. */
  constructor(state: GcmState, write: WriteBytes) {
    this.outSeqno = state.outSeqno;
    this.#name = state._encSSLName as 'aes-256-gcm';
    this.#key = createSecretKey(state._encKey);
    this.#iv = state._encIV;
    this.#write = write;
  }

  /** Nothing is sent any more. */
  free(): void {
    this.#isFree = true;
  }

  /** A packet with room for a payload from the sixth byte on. */
  allocPacket(payload: number): Buffer {
    const length = Math.ceil((1 + payload + leastPadding) / blockBytes) * blockBytes;
    const packet = room(lengthBytes + length);
    const padding = length - 1 - payload;
    packet.writeUInt32BE(length);
    packet[lengthBytes] = padding;
    packet.set(this.#random(padding), packet.length - padding);
    return packet;
  }

  /** Sends a packet, which is not to be looked at any more. */
  encrypt(packet: Buffer): void {
    if (this.#isFree) return;
    const cipher = createCipheriv(this.#name, this.#key, this.#iv);
    const length = packet.subarray(0, lengthBytes);
    cipher.setAAD(length);
    const encrypted = cipher.update(packet.subarray(lengthBytes));
    cipher.final();
    const sent = room(packet.length + tagBytes);
    sent.set(length);
    sent.set(encrypted, lengthBytes);
    sent.set(cipher.getAuthTag(), packet.length);
    freeBytes(packet);
    freeBytes(encrypted);
    this.#write(sent, sent.length < ownMemoryFrom ? undefined : () => freeBytes(sent));
    countUp(this.#iv);
    this.outSeqno = (this.outSeqno + 1) >>> 0;
  }

  #random(count: number): Buffer {
    if (this.#padded + count > paddingBytes) {
      randomFillSync(this.#padding);
      this.#padded = 0;
    }
    this.#padded += count;
    return this.#padding.subarray(this.#padded - count, this.#padded);
  }
}

function room(bytes: number): Buffer {
  return bytes < ownMemoryFrom ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes);
}

/** The last eight bytes of the nonce count packets (RFC 5647, section 7.1). */
function countUp(iv: Buffer): void {
  for (let at = iv.length - 1; at >= iv.length - 8; at -= 1) {
    iv[at] = ((iv[at] ?? 0) + 1) & 0xff;
    if (iv[at] !== 0) return;
  }
}
