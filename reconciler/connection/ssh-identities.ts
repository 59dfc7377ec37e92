/**
 * The keys that can prove who we are to one host, in the order they are offered: named ones first, then what the ssh-agent holds.
 * Invariant: no key is offered twice; a key that an ssh-agent holds is signed for there, so its passphrase is not asked.
 * Never asks before the server wants a signature, except where only the passphrase shows which key it is.
 */

import { readFile } from 'node:fs/promises';
import { expandHome } from './home-path.ts';
import { fingerprint, keyText } from './known-hosts.ts';
import type { Opened, Passphrases } from './passphrases.ts';
import { type AgentIdentity, agentIdentities, agentSignature } from './ssh-agent.ts';
import { blobOfLine, type Certificate, readCertificate } from './ssh-blob.ts';
import { type KeyFile, readKeyFile } from './ssh-key-file.ts';

/** One key, as it is offered. */
export interface Identity {
  readonly label: string;
  /** The public key; undefined when the passphrase must be asked to know it. */
  readonly blob?: Buffer | undefined;
  /** Offered in place of the key in it. */
  readonly certificate?: Certificate | undefined;
  /** Whether somebody named it, instead of it being there. */
  readonly named: boolean;
  readonly signer: Signer;
}

export type Signer =
  | { readonly kind: 'key'; readonly open: () => Promise<Opened> }
  | { readonly kind: 'agent'; sign(data: Buffer, hash: string | undefined): Promise<Buffer> };

export interface IdentityWishes {
  /** Key files somebody named; undefined: OpenSSH's own. */
  readonly named: readonly string[] | undefined;
  readonly defaults: readonly string[];
  readonly certificates: readonly string[];
  /** Only files, or what the ssh-agent holds of them. */
  readonly filesOnly: boolean;
  readonly socket: string | undefined;
}

export interface Identities {
  readonly list: readonly Identity[];
  /** What cannot be used and why. */
  readonly notes: readonly string[];
  /** Named files that gave nothing to offer, with why. */
  readonly unusable: ReadonlyMap<string, string>;
}

/** Finds the keys for a connection. */
export async function findIdentities(wishes: IdentityWishes, passphrases: Passphrases): Promise<Identities> {
  const notes: string[] = [];
  const held = await heldKeys(wishes.socket, notes);
  const paths = (wishes.named ?? wishes.defaults).map(expandHome);
  const files = await Promise.all([...new Set(paths)].map(readKeyFile));
  const beside = paths.map((path) => `${path}-cert.pub`);
  const certificates = await readCertificates([...wishes.certificates.map(expandHome), ...beside]);
  const finder: Finder = { held, certificates, passphrases, socket: wishes.socket ?? '', wishes };
  const unusable = new Map<string, string>();
  const ofFiles = files.flatMap((file) => identitiesOf(file, finder, unusable));
  const others = wishes.filesOnly ? [] : held.flatMap((key) => agentIdentity(key, finder));
  const isNamed = wishes.named !== undefined;
  const all = isNamed
    ? [...ofFiles, ...others]
    : [...ofFiles.filter(({ signer }) => signer.kind === 'agent'), ...others, ...ofFiles];
  if (isNamed) for (const [path, reason] of unusable) notes.push(`key ${path} cannot be used: ${reason}`);
  return { list: onlyOnce(all), notes, unusable };
}

interface Finder {
  readonly held: readonly AgentIdentity[];
  readonly certificates: readonly NamedCertificate[];
  readonly passphrases: Passphrases;
  readonly socket: string;
  readonly wishes: IdentityWishes;
}

interface NamedCertificate extends Certificate {
  readonly path: string;
}

async function heldKeys(socket: string | undefined, notes: string[]): Promise<readonly AgentIdentity[]> {
  if (socket === undefined) return [];
  try {
    return await agentIdentities(socket);
  } catch (error) {
    notes.push(`ssh-agent ${socket} cannot be used: ${(error as Error).message}`);
    return [];
  }
}

async function readCertificates(paths: readonly string[]): Promise<readonly NamedCertificate[]> {
  const found: NamedCertificate[] = [];
  for (const path of new Set(paths)) {
    const blob = blobOfLine(await readFile(path, 'utf8').catch(() => ''));
    const certificate = blob === undefined ? undefined : readCertificate(blob);
    if (certificate?.isUser === true) found.push({ ...certificate, path });
  }
  return found;
}

/** A file's certificates and then its key, signed for by the ssh-agent where that holds the key. */
function identitiesOf(file: KeyFile, finder: Finder, unusable: Map<string, string>): readonly Identity[] {
  const { blob, path, secret } = file;
  const named = finder.wishes.named !== undefined;
  const held = blob !== undefined && finder.held.some((key) => key.blob.equals(blob));
  if (secret.kind === 'absent' && !held) {
    unusable.set(path, secret.reason);
    return [];
  }
  const signer: Signer = held ? agentSigner(finder, blob) : fileSigner(file, finder.passphrases);
  const certificates = finder.certificates.filter(({ key }) => blob !== undefined && key.equals(blob));
  const where = held ? ' from the ssh-agent' : '';
  return [
    ...certificates.map((certificate) => ({
      label: `certificate ${certificate.path} (${certificateText(certificate)})`,
      blob,
      certificate,
      named,
      signer,
    })),
    { label: `key ${path}${where}${blob === undefined ? '' : ` (${keyText(blob)})`}`, blob, named, signer },
  ];
}

/** What the ssh-agent offers: a key, with the certificates that files have for it, or a certificate of its own. */
function agentIdentity(held: AgentIdentity, finder: Finder): readonly Identity[] {
  const { blob, comment } = held;
  const label = `ssh-agent key ${comment === '' ? '' : `"${comment}" `}`;
  const signer = agentSigner(finder, blob);
  const own = readCertificate(blob);
  if (own !== undefined)
    return [
      { label: `${label}(${certificateText(own)})`, blob: own.key, certificate: own, named: false, signer },
    ];
  const certificates = finder.certificates.filter(({ key }) => key.equals(blob));
  return [
    ...certificates.map((certificate) => ({
      label: `certificate ${certificate.path} (${certificateText(certificate)})`,
      blob,
      certificate,
      named: true,
      signer,
    })),
    { label: `${label}(${keyText(blob)})`, blob, named: false, signer },
  ];
}

function agentSigner({ socket }: Finder, blob: Buffer): Signer {
  return { kind: 'agent', sign: (data, hash) => agentSignature(socket, { blob, data, hash }) };
}

function fileSigner({ path, secret }: KeyFile, passphrases: Passphrases): Signer {
  const open = async (): Promise<Opened> => {
    if (secret.kind === 'locked') return passphrases.open(path, secret.text);
    return secret.kind === 'open' ? { ok: true, key: secret.key } : { ok: false, reason: secret.reason };
  };
  return { kind: 'key', open };
}

function onlyOnce(all: readonly Identity[]): readonly Identity[] {
  const seen = new Set<string>();
  return all.filter(({ blob, certificate, label }) => {
    const offered = (certificate?.blob ?? blob)?.toString('base64') ?? label;
    const isNew = !seen.has(offered);
    seen.add(offered);
    return isNew;
  });
}

function certificateText({ type, id, validBefore, key }: Certificate): string {
  const name = JSON.stringify(id.replace(/\p{Cc}/gu, ' ').slice(0, 100));
  const forever = validBefore > 253_402_300_799n;
  const until = forever ? '' : `, valid until ${new Date(Number(validBefore) * 1000).toISOString()}`;
  return `${type}, id ${name}${until}, key ${fingerprint(key)}`;
}
