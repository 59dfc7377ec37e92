import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { type Asker, nobodyToAsk } from '../../../reconciler/connection/asking.ts';
import { Passphrases } from '../../../reconciler/connection/passphrases.ts';
import { agentIdentities, agentSignature } from '../../../reconciler/connection/ssh-agent.ts';
import { blobOfLine, readCertificate } from '../../../reconciler/connection/ssh-blob.ts';
import { openKey, readKeyFile } from '../../../reconciler/connection/ssh-key-file.ts';
import { asking, login, looseSpec, optionsWith, ScriptedAsker } from '../../helpers/logins.ts';
import { makeKey, startAgent, type TestAgent } from '../../helpers/ssh-agent.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

const folder = mkdtempSync(join(tmpdir(), 'credentials-'));
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('key files', () => {
  it.each([
    ['ed25519', undefined],
    ['rsa', undefined],
    ['ecdsa', undefined],
    ['rsa', 'PEM'],
    ['ecdsa', 'PEM'],
    ['rsa', 'PKCS8'],
    ['ecdsa', 'PKCS8'],
  ])('are read in every form of ssh-keygen, %s %s, with a passphrase and without', async (type, format) => {
    const more = format === undefined ? {} : { format };
    const open = makeKey(join(folder, `open-${type}-${format}`), { type, ...more });
    const plain = await readKeyFile(open);
    expect(plain.secret.kind).toBe('open');
    expect(plain.blob).toEqual(blobOfLine(readFileSync(`${open}.pub`, 'utf8')));
    const locked = makeKey(join(folder, `locked-${type}-${format}`), {
      type,
      ...more,
      passphrase: 'open sesame',
    });
    const read = await readKeyFile(locked);
    expect(read.secret.kind).toBe('locked');
    expect(read.blob).toEqual(blobOfLine(readFileSync(`${locked}.pub`, 'utf8')));
    const text = read.secret.kind === 'locked' ? read.secret.text : '';
    expect(openKey(text, 'wrong')).toBeInstanceOf(Error);
    const key = openKey(text, 'open sesame');
    if (key instanceof Error) throw key;
    expect(key.getPublicSSH()).toEqual(read.blob);
  });

  it('asks for a passphrase once however many wait, three times when it is wrong', async () => {
    const path = makeKey(join(folder, 'asked'), { passphrase: 'right' });
    const text = readFileSync(path, 'latin1');
    const asker = new ScriptedAsker('wrong', 'right');
    const passphrases = new Passphrases(asker);
    const answers = await Promise.all(Array.from({ length: 50 }, () => passphrases.open(path, text)));
    expect(answers.every(({ ok }) => ok)).toBe(true);
    expect(asker.questions.map(({ prompt, echo, remarks }) => [prompt, echo, remarks?.length])).toEqual([
      [`Passphrase for ${path}: `, false, undefined],
      [`Passphrase for ${path}: `, false, 1],
    ]);
    const never = new ScriptedAsker('a', 'b', 'c', 'right');
    expect(await new Passphrases(never).open(path, text)).toEqual({
      ok: false,
      reason: 'its passphrase was wrong 3 times',
    });
    expect(await new Passphrases(new ScriptedAsker()).open(path, text)).toMatchObject({ ok: false });
    expect(await new Passphrases(nobodyToAsk('no terminal')).open(path, text)).toEqual({
      ok: false,
      reason: 'it has a passphrase, and nobody can be asked: no terminal',
    });
  });

  it('does not take other bytes for a certificate', () => {
    expect(readCertificate(Buffer.alloc(0))).toBeUndefined();
    expect(readCertificate(Buffer.from('ffffffffff', 'hex'))).toBeUndefined();
    expect(blobOfLine('no key')).toBeUndefined();
  });
});

describe.skipIf(!hasSshd)('keys and a real OpenSSH server', () => {
  let sshd: Sshd;
  let agent: TestAgent;
  let spec: ConnectionSpec;

  beforeAll(async () => {
    sshd = await startSshd(join(folder, 'sshd'), ['MaxAuthTries 6']);
    agent = await startAgent(join(folder, 'agent'));
    spec = { ...looseSpec, port: sshd.port, user: sshd.user };
  });
  afterEach(() => agent.clear());
  afterAll(async () => {
    await agent.stop();
    await sshd.stop();
  });

  /** The server's key under a passphrase. */
  function lockedKey(name: string): string {
    const path = join(folder, name);
    copyFileSync(sshd.keyFile, path);
    execFileSync('chmod', ['600', path]);
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', path]);
    return path;
  }

  it('asks for a passphrase only when the server takes the key, and one prompt serves all hosts', async () => {
    const path = lockedKey('locked');
    const other = makeKey(join(folder, 'locked-other'), { passphrase: 'x' });
    const asker = new ScriptedAsker('open sesame');
    const ssh = optionsWith({ ...asking(asker), defaultKeys: [other, path] }, { auth: 5000 });
    expect(await Promise.all([1, 2, 3].map(() => login(spec, ssh)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(asker.questions.map(({ prompt }) => prompt)).toEqual([`Passphrase for ${path}: `]);
  });

  it('says how when nobody can be asked, and which key it is', async () => {
    const path = lockedKey('lonely');
    const problem = await login({ ...spec, keyFile: path }, optionsWith({}));
    expect(problem).toMatchObject({ code: 'ssh.key-locked', where: { host: 'web1' } });
    expect(problem?.message).toContain(`key ${path} (ssh-ed25519 SHA256:`);
    expect(problem?.message).toContain('nobody can be asked: there is no terminal');
    expect(problem?.hint).toContain('ssh-add');
  });

  it('lets no deadline count while a person thinks, and connects again when the server did not wait', async () => {
    const path = lockedKey('slow');
    const patient = await startSshd(join(folder, 'impatient'), ['LoginGraceTime 1']);
    writeFileSync(join(folder, 'impatient', 'authorized'), readFileSync(`${sshd.keyFile}.pub`));
    const asker: Asker = {
      ask: async () => {
        await new Promise((resolve) => setTimeout(resolve, 2500));
        return { kind: 'answered', text: new Secret('open sesame') };
      },
    };
    const ssh = optionsWith(asking(asker), { auth: 800 });
    expect(await login({ ...spec, port: patient.port, keyFile: path }, ssh)).toBeUndefined();
    await patient.stop();
  });

  it('tries the named key first, though the ssh-agent holds ten others', async () => {
    for (let index = 0; index < 10; index += 1)
      agent.add(makeKey(join(folder, `filler-${index}`), { comment: `filler ${index}` }));
    const withAgent = optionsWith({ authSock: agent.socket });
    expect(await login({ ...spec, keyFile: sshd.keyFile }, withAgent)).toBeUndefined();
    const burnt = await login(spec, withAgent);
    expect(burnt).toMatchObject({ code: 'ssh.auth-refused' });
    expect(burnt?.message).toMatch(/ssh-agent key "filler 0" \(ssh-ed25519 SHA256:[^)]+\)/);
    const withPassword = await login({ ...spec, password: new Secret('x') }, withAgent);
    expect(withPassword?.message).toContain('left out 6 more keys of the ssh-agent');
    expect(withPassword?.message).toContain('the server allows publickey');
  });

  it('signs by the ssh-agent for a named key of which only the public half is here', async () => {
    const only = join(folder, 'only-public');
    copyFileSync(`${sshd.keyFile}.pub`, `${only}.pub`);
    const held = lockedKey('held');
    execFileSync('ssh-keygen', ['-q', '-p', '-P', 'open sesame', '-N', '', '-f', held]);
    agent.add(held);
    const ssh = optionsWith({ authSock: agent.socket });
    expect(await login({ ...spec, keyFile: only }, ssh)).toBeUndefined();
    expect(await login({ ...spec, keyFile: `${only}.pub` }, ssh)).toBeUndefined();
    expect(await login({ ...spec, keyFile: lockedKey('also-locked') }, ssh)).toBeUndefined();
    agent.clear();
    const gone = await login({ ...spec, keyFile: only }, ssh);
    expect(gone).toMatchObject({ code: 'ssh.key-unreadable', where: { file: only } });
  });

  it('offers nothing else of the ssh-agent when only named keys shall count', async () => {
    agent.add(sshd.keyFile);
    const other = makeKey(join(folder, 'other'));
    const ssh = optionsWith({ authSock: agent.socket });
    expect(await login({ ...spec, ssh: { identityFiles: [other] } }, ssh)).toBeUndefined();
    const only = await login(
      { ...spec, ssh: { identityFiles: [other, '/no/key'], identitiesOnly: true } },
      ssh,
    );
    expect(only).toMatchObject({ code: 'ssh.auth-refused' });
    expect(only?.message).not.toContain('ssh-agent key');
    expect(only?.message).toContain('key /no/key cannot be used');
    expect(await login({ ...spec, ssh: { identityAgent: 'none' } }, ssh)).toMatchObject({
      code: 'ssh.auth-refused',
    });
    expect(await login({ ...spec, ssh: { identityAgent: agent.socket } }, optionsWith({}))).toBeUndefined();
  });

  it('proves itself with RSA and ECDSA keys, by file and by ssh-agent', async () => {
    const authorized = join(folder, 'sshd', 'authorized');
    const before = readFileSync(authorized);
    const keys = ['rsa', 'ecdsa'].map((type) => makeKey(join(folder, `login-${type}`), { type }));
    writeFileSync(authorized, keys.map((key) => readFileSync(`${key}.pub`, 'utf8')).join(''));
    for (const key of keys) {
      expect(await login({ ...spec, keyFile: key }, optionsWith({}))).toBeUndefined();
      agent.clear();
      agent.add(key);
      expect(await login(spec, optionsWith({ authSock: agent.socket }))).toBeUndefined();
    }
    writeFileSync(authorized, before);
  });
});

describe('an ssh-agent that misbehaves', () => {
  it.each([
    ['closes', Buffer.alloc(0), 'closed'],
    ['refuses', Buffer.from([0, 0, 0, 1, 5]), 'does not tell'],
    ['promises too much', Buffer.from([0xff, 0xff, 0xff, 0xff]), 'too long'],
    ['cuts off', Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 9]), 'cut off'],
  ])('is an error in words when it %s', async (what, bytes, words) => {
    const socket = join(folder, `bad ${what}`);
    const bad = createServer((stream) => stream.on('error', () => {}).end(bytes));
    servers.push(bad);
    await new Promise<void>((resolve) => bad.listen(socket, resolve));
    await expect(agentIdentities(socket)).rejects.toThrow(words);
    const wanted = { blob: Buffer.alloc(4), data: Buffer.alloc(4), hash: 'sha512' };
    await expect(agentSignature(socket, wanted)).rejects.toThrow();
  });
});
