import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../../agent/protocol/problem.ts';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import {
  type Answer,
  type Asker,
  nobodyToAsk,
  type Question,
} from '../../../reconciler/connection/asking.ts';
import { Passphrases } from '../../../reconciler/connection/passphrases.ts';
import { connectSsh, type SshOptions } from '../../../reconciler/connection/ssh.ts';
import { agentIdentities, agentSignature } from '../../../reconciler/connection/ssh-agent.ts';
import { blobOfLine, readCertificate } from '../../../reconciler/connection/ssh-blob.ts';
import type { CredentialSources } from '../../../reconciler/connection/ssh-credentials.ts';
import { openKey, readKeyFile } from '../../../reconciler/connection/ssh-key-file.ts';
import { testPoolOptions } from '../../helpers/lines.ts';
import { makeKey, startAgent, type TestAgent } from '../../helpers/ssh-agent.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

const folder = mkdtempSync(join(tmpdir(), 'credentials-'));
const servers: (Server | ssh2.Server)[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Answers from a list, and remembers the questions. */
class ScriptedAsker implements Asker {
  readonly questions: Question[] = [];
  readonly #answers: (string | Answer)[];

  constructor(...answers: (string | Answer)[]) {
    this.#answers = answers;
  }

  async ask(question: Question): Promise<Answer> {
    this.questions.push(question);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const answer = this.#answers.shift() ?? { kind: 'declined' as const };
    return typeof answer === 'string' ? { kind: 'answered', text: new Secret(answer) } : answer;
  }
}

const base: ConnectionSpec = {
  kind: 'ssh',
  host: 'web1',
  address: '127.0.0.1',
  port: 22,
  user: 'me',
  hostKeys: 'ignore',
  pinnedKeys: [],
};

function optionsWith(
  sources: Partial<CredentialSources>,
  deadlines: Partial<SshOptions['deadlines']> = {},
): SshOptions {
  const { ssh } = testPoolOptions(join(folder, 'known_hosts'));
  return {
    ...ssh,
    credentials: { defaultKeys: [], ...sources },
    deadlines: { ...ssh.deadlines, ...deadlines },
  };
}

/** The problem of a login, or undefined when it worked. */
async function login(spec: ConnectionSpec, ssh: SshOptions): Promise<Problem | undefined> {
  const opened = await connectSsh(spec, ssh);
  if (!opened.ok) return opened.problem;
  opened.value.end('the test is over');
  await opened.value.ended;
  return undefined;
}

function asking(asker: Asker): Partial<CredentialSources> {
  return { asker, passphrases: new Passphrases(asker) };
}

async function listen(server: Server | ssh2.Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A server that decides by itself. */
async function server(decide: (context: ssh2.AuthContext) => void): Promise<ConnectionSpec> {
  const hostKey = readFileSync(join(folder, 'server-key'));
  const port = await listen(
    new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
      client.on('authentication', decide).on('error', () => {});
    }),
  );
  return { ...base, port };
}

beforeAll(() => {
  makeKey(join(folder, 'server-key'));
});

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
    spec = { ...base, port: sshd.port, user: sshd.user };
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

describe.skipIf(!hasSshd)('certificates and a server that takes nothing else', () => {
  let sshd: Sshd;
  let agent: TestAgent;
  let spec: ConnectionSpec;
  const authority = join(folder, 'authority');

  beforeAll(async () => {
    makeKey(authority);
    sshd = await startSshd(join(folder, 'certificates'), [
      'AuthorizedKeysFile none',
      `TrustedUserCAKeys ${authority}.pub`,
    ]);
    agent = await startAgent(join(folder, 'certificate-agent'));
    spec = { ...base, port: sshd.port, user: sshd.user };
  });
  afterAll(async () => {
    await agent.stop();
    await sshd.stop();
  });

  function certified(name: string, type: string, more: readonly string[] = []): string {
    const key = makeKey(join(folder, name), { type });
    const sign = ['-q', '-s', authority, '-I', `id of ${name}`, '-n', sshd.user, ...more];
    execFileSync('ssh-keygen', [...sign, `${key}.pub`]);
    return key;
  }

  it.each(['ed25519', 'rsa', 'ecdsa'])('logs in with the certificate beside an %s key', async (type) => {
    const key = certified(`beside-${type}`, type);
    expect(await login({ ...spec, keyFile: key }, optionsWith({}))).toBeUndefined();
  });

  it('logs in with a CertificateFile, by a key with a passphrase and by a key of the ssh-agent', async () => {
    const key = certified('elsewhere', 'ecdsa');
    const certificate = join(folder, 'moved.pub');
    execFileSync('mv', [`${key}-cert.pub`, certificate]);
    const named = { ...spec, ssh: { certificateFiles: [certificate] } };
    agent.add(key);
    expect(await login(named, optionsWith({ authSock: agent.socket }))).toBeUndefined();
    expect(await login({ ...named, keyFile: key }, optionsWith({}))).toBeUndefined();
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'x', '-f', key]);
    const asker = new ScriptedAsker('x');
    expect(await login({ ...named, keyFile: key }, optionsWith(asking(asker)))).toBeUndefined();
    expect(asker.questions).toHaveLength(1);
  });

  it('logs in with a certificate that the ssh-agent holds', async () => {
    agent.clear();
    agent.add(certified('held-certificate', 'rsa'));
    expect(await login(spec, optionsWith({ authSock: agent.socket }))).toBeUndefined();
  });

  it('says which certificate was refused and until when it was valid', async () => {
    const key = certified('expired', 'ed25519', ['-V', '20200101:20200102']);
    const problem = await login({ ...spec, keyFile: key }, optionsWith({}));
    expect(problem?.message).toMatch(
      /certificate .*expired-cert\.pub \(ssh-ed25519-cert-v01@openssh\.com, id "id of expired", valid until 2020-01-0/,
    );
  });
});

describe('passwords and prompts', () => {
  const password = new Secret('open sesame');

  it('answers the password once to a prompt that hides it, and a person the rest', async () => {
    const spec = await server((context) => {
      if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
      const prompts = [
        { prompt: '(me@web1) Password: ', echo: false },
        { prompt: 'Verification code:', echo: true },
      ];
      return context.prompt(prompts, 'Two factors', 'Have your phone \u001b[31mready', (answers) => {
        if (answers.join() === 'open sesame,123456') context.accept();
        else context.reject();
      });
    });
    const asker = new ScriptedAsker('123456');
    expect(await login({ ...spec, password }, optionsWith(asking(asker)))).toBeUndefined();
    expect(asker.questions).toEqual([
      {
        prompt: 'me@web1 asks: Verification code: ',
        echo: true,
        remarks: ['Two factors', 'Have your phone  [31mready'],
      },
    ]);
    const alone = await login({ ...spec, password }, optionsWith({}));
    expect(alone).toMatchObject({ code: 'ssh.prompt-unanswered' });
    expect(alone?.message).toContain('asked "Verification code:": nobody can be asked');
  });

  it('gives the password to no prompt that shows it or wants a code', async () => {
    const given: string[] = [];
    const spec = await server((context) => {
      if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
      const prompts = [
        { prompt: 'Password (shown): ', echo: true },
        { prompt: 'One-time password: ', echo: false },
        { prompt: 'Password: ', echo: false },
        { prompt: 'Password again: ', echo: false },
      ];
      return context.prompt(prompts, (answers) => {
        given.push(...answers);
        context.reject();
      });
    });
    expect(await login({ ...spec, password }, optionsWith({}))).toMatchObject({
      code: 'ssh.prompt-unanswered',
    });
    expect(given).toEqual(['', '', 'open sesame', '']);
  });

  it('goes on after a partial success, also where the first proof must be the password', async () => {
    const key = makeKey(join(folder, 'partial'));
    const orders = [
      ['publickey', 'password'],
      ['password', 'publickey'],
      ['publickey', 'keyboard-interactive'],
    ] as const;
    for (const order of orders) {
      let passed = 0;
      const spec = await server((context) => {
        const wanted = order[passed] ?? 'none';
        if (context.method !== wanted) return context.reject([wanted as 'password']);
        if (context.method === 'publickey' && context.signature === undefined) return context.accept();
        if (context.method === 'keyboard-interactive')
          return context.prompt([{ prompt: 'Code: ', echo: true }], () => context.accept());
        passed += 1;
        if (passed === order.length) return context.accept();
        return context.reject([order[passed] as 'password'], true);
      });
      const ssh = optionsWith(asking(new ScriptedAsker('123')));
      expect(await login({ ...spec, password, keyFile: key }, ssh)).toBeUndefined();
    }
    const never = await server((context) => {
      if (context.method === 'publickey' && context.signature === undefined) return context.accept();
      return context.reject(['password'], context.method === 'publickey');
    });
    const refused = await login({ ...never, keyFile: key }, optionsWith({}));
    expect(refused?.message).toContain('[accepted, but more is wanted]');
    expect(refused?.message).toContain('the server allows password');
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
