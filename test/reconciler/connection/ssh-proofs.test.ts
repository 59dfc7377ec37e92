import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { asking, login, looseSpec, optionsWith, ScriptedAsker } from '../../helpers/logins.ts';
import { makeKey, startAgent, type TestAgent } from '../../helpers/ssh-agent.ts';
import { hasSshd, type Sshd, startSshd } from '../../helpers/sshd.ts';

const folder = mkdtempSync(join(tmpdir(), 'proofs-'));
const servers: ssh2.Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(() => {
  makeKey(join(folder, 'server-key'));
});

async function listen(server: ssh2.Server): Promise<number> {
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
  return { ...looseSpec, port };
}

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
    spec = { ...looseSpec, port: sshd.port, user: sshd.user };
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
