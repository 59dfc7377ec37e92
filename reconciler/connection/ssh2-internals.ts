/**
 * The only place that reaches into the ssh2 library: proofs by certificate, what a server says after each try, signs of life, ends,
 * and our own cipher.
 * Invariant: ssh2 is pinned to one version, and tests log in by certificate and after partial success to real servers.
 * Never changes the library for other connections.
 */

import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Duplex, Writable } from 'node:stream';
import type { Client } from 'ssh2';
import { GcmCipher, type GcmState } from './gcm-cipher.ts';
import { noteSent } from './send-litter.ts';
import { sshString } from './ssh-blob.ts';

interface Protocol {
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      alloc(size: number): Buffer;
      finalize(packet: Buffer): Buffer;
    };
  };
  _cipher: Cipher;
  readonly _decipher: { _decipherKey?: Buffer | KeyObject };
  readonly _authsQueue: string[];
  readonly _handlers: { USERAUTH_FAILURE?: FailureHandler };
  ping(): void;
}
interface Cipher extends Partial<GcmState> {
  encrypt(packet: Buffer): void;
}
type FailureHandler = (
  protocol: Protocol,
  allowed: readonly string[] | undefined,
  isPartial: boolean,
) => void;

function protocolOf(client: Client): Protocol {
  return (client as unknown as { readonly _protocol: Protocol })._protocol;
}

/**
 * Asks the server for a sign of life, as the keepalive does: servers answer requests in order, and this one with a refusal.
 * False where the connection ends first.
 */
export function signOfLife(client: Client): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const { _callbacks: waiting } = client as unknown as { readonly _callbacks: ((end: unknown) => void)[] };
  waiting.push((end) => resolve(!(end instanceof Error)));
  protocolOf(client).ping();
  return promise;
}

/** Ends the connection without a word; the library's own `destroy` does nothing once `end` was called. */
export function destroySocket(client: Client): void {
  (client as unknown as { readonly _sock?: Duplex })._sock?.destroy();
}

export interface Proof {
  /** What was signed: the session's id and the request. */
  readonly data: Buffer;
  readonly signature: Buffer;
  /** The signature's; the library would name the certificate's here, which servers refuse. */
  readonly algorithm: string;
}

/** Sends a request that was signed, in place of the library. */
export function sendProof(client: Client, { data, signature, algorithm }: Proof): void {
  const protocol = protocolOf(client);
  const proof = sshString(Buffer.concat([sshString(algorithm), sshString(signature)]));
  const request = data.subarray(4 + data.readUInt32BE());
  const { write } = protocol._packetRW;
  const packet = write.alloc(request.length + proof.length);
  packet.set(request, write.allocStart);
  packet.set(proof, write.allocStart + request.length);
  protocol._authsQueue.push('publickey');
  protocol._cipher.encrypt(write.finalize(packet));
}

/** Tells what the server allows after each failed or partial try; the library forgets it where an ssh-agent signs. */
export function onTryEnded(
  client: Client,
  listener: (allowed: readonly string[], isPartial: boolean) => void,
): void {
  const handlers = protocolOf(client)._handlers;
  const own = handlers.USERAUTH_FAILURE;
  handlers.USERAUTH_FAILURE = (protocol, allowed, isPartial) => {
    listener(allowed ?? [], isPartial);
    own?.(protocol, allowed, isPartial);
  };
}

/** Sends with our own cipher whenever keys were exchanged; where they agreed on one that we lack, what the library's leaves is swept up. */
export function encryptOurselves(client: Client, socket: Duplex): void {
  const write = (bytes: Buffer, taken?: () => void): void => {
    if (socket.writable && !socket.readableEnded) socket.write(bytes, taken);
  };
  client.on('handshake', () => {
    const protocol = protocolOf(client);
    const { _cipher: cipher, _decipher: decipher } = protocol;
    if (isGcm(cipher)) protocol._cipher = new GcmCipher(cipher, write);
    else sweepAfter(cipher);
    // As bytes it would be looked at as an object and converted for each packet.
    if (Buffer.isBuffer(decipher._decipherKey))
      decipher._decipherKey = createSecretKey(decipher._decipherKey);
  });
}

function isGcm(cipher: Cipher): cipher is Cipher & GcmState {
  return cipher._encIV !== undefined;
}

function sweepAfter(cipher: Cipher): void {
  const encrypt = cipher.encrypt.bind(cipher);
  cipher.encrypt = (packet) => {
    encrypt(packet);
    noteSent(packet.length);
  };
}

/** What a channel of ours writes to. */
export function socketOf(client: Client): Duplex {
  return (client as unknown as { readonly _sock: Duplex })._sock;
}

interface Written {
  _write(bytes: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void;
}

/**
 * Lets a channel take more only when the socket has sent what it was given before: the library heeds the window that the far end
 * grants, which a slow way leaves lying here in full.
 */
export function paceBySocket(channel: Writable, socket: Duplex): void {
  const written = channel as unknown as Written;
  const write = written._write.bind(channel);
  socket.setMaxListeners(socket.getMaxListeners() + 1);
  channel.once('close', () => socket.setMaxListeners(socket.getMaxListeners() - 1));
  written._write = (bytes, encoding, done) =>
    write(bytes, encoding, () => {
      if (socket.writableNeedDrain && !socket.destroyed) socket.once('drain', done);
      else done();
    });
}
