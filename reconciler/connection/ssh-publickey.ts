/**
 * Offers one identity to a server through the ssh2 library: the key, or the certificate for it.
 * Invariant: a signature is made only after the server said that it takes this key; it carries the plain key's algorithm.
 * Never asks the server twice for one key.
 */

import type {
  AnyAuthMethod,
  Client,
  IdentityCallback,
  ParsedKey,
  SignCallback,
  SigningRequestOptions,
} from 'ssh2';
import ssh2 from 'ssh2';
import { BlobReader, type Certificate, sshString } from './ssh-blob.ts';
import type { Identity } from './ssh-identities.ts';
import { sendProof } from './ssh2-internals.ts';

export interface PublicKeyContext {
  readonly user: string;
  readonly client: Client;
  /** While this waits for a person, no deadline counts. */
  wait<T>(work: Promise<T>): Promise<T>;
  /** Why a key that the server may take could not be used. */
  onLocked(label: string, reason: string): void;
}

/** The library's method for an identity. */
export function publicKeyMethod(identity: Identity, context: PublicKeyContext): AnyAuthMethod {
  return { type: 'agent', username: context.user, agent: new OneKeyAgent(identity, context) };
}

/** To the library this is an ssh-agent with one key, since only an ssh-agent may take its time to sign. */
class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #identity: Identity;
  readonly #context: PublicKeyContext;

  constructor(identity: Identity, context: PublicKeyContext) {
    super();
    this.#identity = identity;
    this.#context = context;
  }

  override getIdentities(done: IdentityCallback<ParsedKey>): void {
    this.#offered().then(
      (key) => done(undefined, [key]),
      (error: Error) => done(error),
    );
  }

  override sign(
    _key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    const done = callback ?? (options as SignCallback);
    const asked = typeof options === 'object' ? options.hash : undefined;
    const { certificate } = this.#identity;
    const hash = certificate?.keyType === 'ssh-rsa' ? 'sha512' : asked;
    this.#signature(data, hash).then(
      (signature) => {
        if (certificate === undefined) done(undefined, signature);
        else sendProof(this.#context.client, { data, signature, algorithm: signatureAlgorithm(certificate) });
      },
      (error: Error) => done(error),
    );
  }

  async #offered(): Promise<ParsedKey> {
    const { certificate, blob } = this.#identity;
    if (blob === undefined) return this.#open();
    const type = new BlobReader(blob).string()?.toString('latin1') ?? '';
    const key = ssh2.utils.parseKey(`${type} ${blob.toString('base64')}`);
    if (key instanceof Error) throw key;
    return certificate === undefined ? key : certified(key, certificate);
  }

  async #signature(data: Buffer, hash: string | undefined): Promise<Buffer> {
    const { signer, certificate } = this.#identity;
    if (signer.kind === 'agent') return signer.sign(data, hash);
    const key = await this.#open();
    const signature = key.sign(data, hash);
    if (signature instanceof Error) throw signature;
    const isEcdsa = certificate?.keyType.startsWith('ecdsa-') === true;
    return isEcdsa ? fromDer(signature) : signature;
  }

  async #open(): Promise<ParsedKey> {
    const { signer, label } = this.#identity;
    if (signer.kind === 'agent') throw new Error('the ssh-agent keeps this key');
    const opened = await this.#context.wait(signer.open());
    if (opened.ok) return opened.key;
    this.#context.onLocked(label, opened.reason);
    throw new Error(opened.reason);
  }
}

/** A key that gives itself out as the certificate for it. */
function certified(key: ParsedKey, certificate: Certificate): ParsedKey {
  const type = certificate.keyType === 'ssh-rsa' ? rsaCertificateAlgorithm : certificate.type;
  return Object.create(key, {
    type: { value: type },
    getPublicSSH: { value: () => certificate.blob },
  }) as ParsedKey;
}

const rsaCertificateAlgorithm = 'rsa-sha2-512-cert-v01@openssh.com';

function signatureAlgorithm({ keyType }: Certificate): string {
  return keyType === 'ssh-rsa' ? 'rsa-sha2-512' : keyType;
}

/** An ECDSA signature as SSH has it: its two numbers are the same bytes in both forms. */
function fromDer(der: Buffer): Buffer {
  const long = (der[1] ?? 0) > 0x80 ? 3 : 2;
  const r = der.subarray(long + 2, long + 2 + (der[long + 1] ?? 0));
  const rest = long + 2 + r.length;
  const s = der.subarray(rest + 2, rest + 2 + (der[rest + 1] ?? 0));
  return Buffer.concat([sshString(r), sshString(s)]);
}
