/**
 * Speaks with an ssh-agent: which keys it holds, and signatures by them.
 * Invariant: every request has a deadline and every answer a limit; a dead ssh-agent is an error, never a wait.
 * Never adds, removes or forwards anything.
 */

import { createConnection } from 'node:net';
import { BlobReader, sshString } from './ssh-blob.ts';

export interface AgentIdentity {
  /** A public key or a certificate. */
  readonly blob: Buffer;
  readonly comment: string;
}

const request = { identities: 11, sign: 13 } as const;
const answer = { failure: 5, identities: 12, signature: 14 } as const;
const mostBytes = 1_000_000;
const mostKeys = 2000;
const listDeadline = 5000;
/** The ssh-agent may ask its person to confirm, or to touch a key. */
const signDeadline = 60_000;
const flags: Readonly<Record<string, number>> = { sha256: 2, sha512: 4 };

/** What the ssh-agent holds, in its order. */
export async function agentIdentities(socket: string): Promise<readonly AgentIdentity[]> {
  const body = await exchange(socket, Buffer.from([request.identities]), listDeadline);
  if (body[0] !== answer.identities) throw new Error('it does not tell its keys');
  const reader = new BlobReader(body.subarray(1));
  const count = Math.min(reader.uint32() ?? 0, mostKeys);
  const found: AgentIdentity[] = [];
  for (let index = 0; index < count; index += 1) {
    const [blob, comment] = [reader.string(), reader.string()];
    if (blob === undefined || comment === undefined) throw new Error('its answer is cut off');
    found.push({
      blob: Buffer.from(blob),
      comment: comment
        .toString()
        .replace(/\p{Cc}/gu, ' ')
        .slice(0, 200),
    });
  }
  return found;
}

/** A signature by one of its keys, without the name of the algorithm; `hash` matters for RSA. */
export async function agentSignature(
  socket: string,
  { blob, data, hash }: { readonly blob: Buffer; readonly data: Buffer; readonly hash: string | undefined },
): Promise<Buffer> {
  const flag = Buffer.alloc(4);
  flag.writeUInt32BE(flags[hash ?? ''] ?? 0);
  const message = Buffer.concat([Buffer.from([request.sign]), sshString(blob), sshString(data), flag]);
  const body = await exchange(socket, message, signDeadline);
  if (body[0] !== answer.signature) throw new Error('it refused to sign');
  const signed = new BlobReader(new BlobReader(body.subarray(1)).string() ?? Buffer.alloc(0));
  const [algorithm, signature] = [signed.string(), signed.string()];
  if (algorithm === undefined || signature === undefined) throw new Error('its signature is cut off');
  return Buffer.from(signature);
}

function exchange(socket: string, message: Buffer, deadline: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const stream = createConnection(socket);
  let received = Buffer.alloc(0);
  const timer = setTimeout(() => fail(new Error(`no answer within ${deadline / 1000} s`)), deadline);
  const finish = (): void => {
    clearTimeout(timer);
    stream.on('error', () => {});
    stream.destroy();
  };
  const fail = (error: Error): void => {
    finish();
    reject(error);
  };
  stream.once('error', fail);
  stream.once('close', () => fail(new Error('it closed the connection')));
  stream.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    const length = received.length < 4 ? 0 : received.readUInt32BE();
    if (length > mostBytes) return fail(new Error('its answer is too long'));
    if (length === 0 || received.length < 4 + length) return;
    finish();
    resolve(received.subarray(4, 4 + length));
  });
  stream.write(sshString(message));
  return promise;
}
