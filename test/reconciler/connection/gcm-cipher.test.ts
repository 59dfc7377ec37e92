/**
 * Our own AES-GCM cipher for packets: what a server would decrypt, one write a packet, and memory given back.
 */

import { createDecipheriv, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { GcmCipher } from '../../../reconciler/connection/gcm-cipher.ts';

const key = randomBytes(32);

/** A cipher from this nonce on, with what it wrote. */
function sending(iv: Buffer) {
  const written: { readonly bytes: Buffer; readonly taken: (() => void) | undefined }[] = [];
  const state = { _encSSLName: 'aes-256-gcm', _encKey: key, _encIV: Buffer.from(iv), outSeqno: 7 };
  const cipher = new GcmCipher(state, (bytes, taken) => written.push({ bytes, taken }));
  const send = (payload: Buffer): void => {
    const packet = cipher.allocPacket(payload.length);
    packet.set(payload, 5);
    cipher.encrypt(packet);
  };
  return { cipher, written, send };
}

/** The payload and the padding of a packet as a server sees them. Throws when it was not made with this nonce. */
function received(bytes: Buffer, iv: Buffer): { readonly payload: Buffer; readonly padding: Buffer } {
  const decipher = createDecipheriv('aes-256-gcm', key, iv);
  decipher.setAAD(bytes.subarray(0, 4));
  decipher.setAuthTag(bytes.subarray(-16));
  const plain = Buffer.concat([decipher.update(bytes.subarray(4, -16)), decipher.final()]);
  expect(plain.length).toBe(bytes.readUInt32BE());
  expect(plain.length % 16).toBe(0);
  const end = plain.length - (plain[0] ?? 0);
  return { payload: plain.subarray(1, end), padding: plain.subarray(end) };
}

describe('a packet cipher', () => {
  it('sends packets of any size that a server can read, each in one write', () => {
    const iv = Buffer.alloc(12, 3);
    const { cipher, written, send } = sending(iv);
    const payloads = [0, 1, 10, 11, 12, 4096, 8192, 32_777, 100_000].map((size) => randomBytes(size));
    for (const payload of payloads) send(payload);
    expect(written).toHaveLength(payloads.length);
    expect(cipher.outSeqno).toBe(7 + payloads.length);
    for (const [index, payload] of payloads.entries()) {
      const nonce = Buffer.from(iv);
      nonce[11] = 3 + index;
      const { payload: arrived, padding } = received(written[index]?.bytes ?? Buffer.alloc(0), nonce);
      expect(arrived.equals(payload)).toBe(true);
      expect(padding.length).toBeGreaterThanOrEqual(4);
    }
  });

  it('counts packets in the last eight bytes of the nonce only', () => {
    const iv = Buffer.from('aabbccddffffffffffffffff', 'hex');
    const { written, send } = sending(iv);
    send(Buffer.from('last'));
    send(Buffer.from('first'));
    expect(String(received(written[0]?.bytes ?? iv, iv).payload)).toBe('last');
    const next = Buffer.from('aabbccdd0000000000000000', 'hex');
    expect(String(received(written[1]?.bytes ?? iv, next).payload)).toBe('first');
  });

  it('never pads twice with the same bytes', () => {
    const iv = Buffer.alloc(12);
    const { written, send } = sending(iv);
    const paddings = new Set<string>();
    for (let index = 0; index < 200; index += 1) {
      send(Buffer.alloc(7));
      iv[11] = index;
      paddings.add(received(written[index]?.bytes ?? iv, iv).padding.toString('hex'));
    }
    expect(paddings.size).toBe(200);
  });

  it('frees the memory of a large packet when the socket has taken it, and not before', () => {
    const { cipher, written, send } = sending(Buffer.alloc(12));
    const packet = cipher.allocPacket(32_768);
    cipher.encrypt(packet);
    expect(packet.length).toBe(0);
    send(Buffer.alloc(32_768));
    expect(written.map(({ bytes }) => bytes.length)).toEqual([32_804, 32_804]);
    for (const { taken } of written) taken?.();
    expect(written.map(({ bytes }) => bytes.length)).toEqual([0, 0]);
  });

  it('sends nothing once it was replaced', () => {
    const { cipher, written, send } = sending(Buffer.alloc(12));
    cipher.free();
    send(Buffer.from('late'));
    expect(written).toEqual([]);
  });
});
